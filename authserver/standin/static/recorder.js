// What a person, or the page through `tap`, `type`, `keypress` and `swipe`, does on the screen; told as the vendor tells it.

const SWIPE_PIXELS = 12;
const KEYS = { "\r": "Enter", "\t": "Tab", "\b": "Backspace" };
const SELECTABLE = ["type", "path", "source"];
const KINDS = {
  android: { BUTTON: "android.widget.Button", INPUT: "android.widget.EditText", LI: "android.view.ViewGroup" },
  ios: { BUTTON: "UIButton", INPUT: "UITextField", LI: "UITableViewCell" },
};
const OTHER = { android: "android.widget.TextView", ios: "UILabel" };

export class Recorder {
  #screen;
  #device;
  #bundle;
  #down;

  constructor(screen, device, bundle) {
    this.#screen = screen;
    this.#device = device;
    this.#bundle = bundle;
    screen.addEventListener("pointerdown", (event) => this.#press(event));
    screen.addEventListener("pointerup", (event) => this.#release(event));
    // before the app handles it: what it changes must not change what was touched
    screen.addEventListener("click", (event) => this.#clicked(event), { capture: true });
    screen.addEventListener("keydown", (event) => this.#pressed(event));
  }

  #press(event) {
    this.#down = event;
    this.#interaction("mousedown", event);
  }

  #release(event) {
    this.#interaction("mouseup", event);
    const [x, y] = this.#down ? [event.clientX - this.#down.clientX, event.clientY - this.#down.clientY] : [0, 0];
    if (Math.hypot(x, y) < SWIPE_PIXELS) return;
    const { width, height } = this.#screen.getBoundingClientRect();
    const seconds = (event.timeStamp - this.#down.timeStamp) / 1000;
    const moves = [{ x: 0, y: 0, t: 0 }, { x: x / width, y: y / height, t: seconds }];
    this.#touched("swipe", this.#down, { moves });
  }

  #clicked(event) {
    if (event.detail === 0) this.#interaction("mousedown", event); // by the page or the keyboard
    this.#touched("tap", event, { duration: 0 });
  }

  #pressed({ key, shiftKey, altKey, timeStamp }) {
    this.#device.touch();
    this.#device.interaction({ timeStamp, type: "keydown", shiftKey, altKey });
    const typed = key.length === 1 ? { character: key } : {};
    this.#device.action({ type: "keypress", time: timeStamp, appId: this.#bundle, key, shiftKey, ...typed });
  }

  #interaction(type, event) {
    this.#device.touch();
    const { x, y } = this.#at(event);
    const { timeStamp, altKey = false, shiftKey = false } = event;
    this.#device.interaction({ timeStamp, type, altKey, shiftKey, xPos: x, yPos: y });
  }

  #touched(type, event, more) {
    const touched = event.target.closest?.("[data-id]");
    const coordinates = this.#at(event);
    const { width, height } = this.#device.size;
    const position = { x: coordinates.x / (width - 1), y: coordinates.y / (height - 1) };
    const element = touched && this.#screen.contains(touched) ? { element: this.describe(touched) } : {};
    this.#device.action({ type, time: event.timeStamp, appId: this.#bundle, coordinates, position, ...element, ...more });
  }

  #at(event) {
    const screen = this.#screen.getBoundingClientRect();
    const touched = event.target.getBoundingClientRect?.();
    const made = event.detail === 0 && event.type === "click" && touched; // a click without a pointer: its middle
    const x = made ? touched.x + touched.width / 2 : event.clientX;
    const y = made ? touched.y + touched.height / 2 : event.clientY;
    return this.#points(x - screen.x, y - screen.y);
  }

  // The device's screen has more points than its picture has pixels.
  #points(x, y) {
    const { width, height } = this.#screen.getBoundingClientRect();
    const { size } = this.#device;
    return { x: Math.round((x * size.width) / width), y: Math.round((y * size.height) / height) };
  }

  // An element as the vendor describes one: with its text and values, which are nobody's to keep.
  describe(touched) {
    const { platform } = this.#device;
    const id = touched.dataset.id;
    const text = touched.textContent.trim();
    const kind = KINDS[platform][touched.tagName] ?? OTHER[platform];
    const { x, y, width, height } = touched.getBoundingClientRect();
    const screen = this.#screen.getBoundingClientRect();
    const [from, to] = [this.#points(x - screen.x, y - screen.y), this.#points(x - screen.x + width, y - screen.y + height)];
    const accessible = {
      accessibilityIdentifier: id, accessibilityLabel: text, accessibilityValue: touched.value ?? text,
    };
    const attributes = platform === "ios"
      ? { class: kind, text: touched.value || text, ...accessible }
      : { class: kind, "resource-id": `${this.#bundle}:id/${id}`, "content-desc": text, text: touched.value || text };
    return {
      type: kind, path: `${kind}[${id}]`, source: "native", attributes,
      bounds: { ...from, width: to.x - from.x, height: to.y - from.y },
      ...(platform === "ios" && { accessibilityElements: [accessible] }),
    };
  }

  everything() {
    return [...this.#screen.querySelectorAll("[data-id]")].map((each) => ({ ...this.describe(each), children: [] }));
  }

  // --- what the page does

  // An action as the vendor's client library words it.
  play(action, matchIndex) {
    const { type, element, coordinates, moves, text } = action;
    if (type === "findElements") {
      this.#device.heartbeat();
      const found = this.#matching(element);
      if (!found.length) throw problem("notFound", "No element found");
      return { matchedElements: found.map((each) => this.describe(each)) };
    }
    if (type === "tap") return this.tap({ element, coordinates }, matchIndex);
    if (type === "swipe") return this.swipe({ gesture: moves.at(-1).y < moves[0].y ? "up" : "down" });
    if (type === "typeText") return this.type(text);
    const key = action.character ?? action.key;
    if (type === "keypress") return this.keypress({ key: KEYS[key] ?? key, shift: Boolean(action.shiftKey) });
    throw problem("invalidArgument", "The device stand-in does not know this action");
  }

  tap({ element, position, coordinates } = {}, matchIndex = undefined) {
    this.#device.heartbeat();
    const matched = element ? this.#find(element, matchIndex) : undefined;
    const target = matched ?? this.#under(position, coordinates);
    if (target.tagName === "INPUT") target.focus();
    target.click();
    const action = { type: "tap", ...(element && { element }), ...(position && { position }), ...(coordinates && { coordinates }) };
    return this.#played(action, matched);
  }

  swipe({ gesture } = {}) {
    this.#device.heartbeat();
    const way = { up: 1, down: -1 }[gesture] ?? 0;
    this.#screen.firstElementChild.scrollBy(0, way * this.#screen.clientHeight * 0.5);
    return this.#played({ type: "swipe", gesture });
  }

  type(text) {
    this.#device.heartbeat();
    for (const character of text) this.keypress({ key: character });
    return this.#played({ type: "typeText", text });
  }

  keypress({ key, shift = false }) {
    this.#device.heartbeat();
    const focused = this.#screen.contains(document.activeElement) ? document.activeElement : this.#screen;
    focused.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: shift, bubbles: true }));
    if (focused.tagName === "INPUT" && key.length === 1) focused.value = (focused.value + key).slice(0, focused.maxLength);
    if (focused.tagName === "INPUT" && key === "Backspace") focused.value = focused.value.slice(0, -1);
    if (focused.tagName === "BUTTON" && key === "Enter") focused.click();
    return this.#played({ type: "keypress", key, shiftKey: shift });
  }

  #find(selector, matchIndex) {
    const found = this.#matching(selector);
    if (matchIndex !== undefined && found[matchIndex]) return found[matchIndex];
    if (!found.length) throw problem("notFound", "No element found");
    if (found.length > 1) throw problem("ambiguousMatch", "More than one element matches");
    return found[0];
  }

  #matching({ attributes = {}, ...more }) {
    return [...this.#screen.querySelectorAll("[data-id]")].filter((candidate) => {
      const described = this.describe(candidate);
      const same = ([name, value]) => described.attributes[name] === value;
      return SELECTABLE.every((name) => more[name] === undefined || more[name] === described[name]) && Object.entries(attributes).every(same);
    });
  }

  #under(position, coordinates) {
    const { x, y, width, height } = this.#screen.getBoundingClientRect();
    const share = (value) => (typeof value === "string" ? Number.parseFloat(value) / 100 : value);
    const { size } = this.#device;
    const at = position
      ? [x + share(position.x) * width, y + share(position.y) * height]
      : [x + (coordinates?.x * width) / size.width, y + (coordinates?.y * height) / size.height];
    const target = at.every(Number.isFinite) ? document.elementFromPoint(...at) : null;
    if (!target || !this.#screen.contains(target)) throw problem("invalidArgument", "That is not on the screen");
    return target;
  }

  #played(action, matched) {
    return { playback: { action, timeout: 10000 }, matchedElements: matched ? [this.describe(matched)] : [] };
  }
}

function problem(errorId, message) { return Object.assign(new Error(message), { errorId }); }
