// What a person, or the page through `tap`, `type`, `keypress` and `swipe`, does on the screen; told as the vendor tells it.

const SWIPE_PIXELS = 12;
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
    const moves = [{ x: 0, y: 0, t: 0 }, { x: x / width, y: y / height, t: event.timeStamp - this.#down.timeStamp }];
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
    const { width, height } = this.#screen.getBoundingClientRect();
    const position = { x: coordinates.x / width, y: coordinates.y / height };
    const element = touched && this.#screen.contains(touched) ? { element: this.describe(touched) } : {};
    this.#device.action({ type, time: event.timeStamp, appId: this.#bundle, coordinates, position, ...element, ...more });
  }

  #at(event) {
    const screen = this.#screen.getBoundingClientRect();
    const touched = event.target.getBoundingClientRect?.();
    const made = event.detail === 0 && event.type === "click" && touched; // a click without a pointer: its middle
    const x = made ? touched.x + touched.width / 2 : event.clientX;
    const y = made ? touched.y + touched.height / 2 : event.clientY;
    return { x: Math.round(x - screen.x), y: Math.round(y - screen.y) };
  }

  // An element as the vendor describes one: with its text and values, which are nobody's to keep.
  describe(touched) {
    const { platform } = this.#device;
    const id = touched.dataset.id;
    const text = touched.textContent.trim();
    const kind = KINDS[platform][touched.tagName] ?? OTHER[platform];
    const { x, y, width, height } = touched.getBoundingClientRect();
    const screen = this.#screen.getBoundingClientRect();
    const accessible = {
      accessibilityIdentifier: id, accessibilityLabel: text, accessibilityValue: touched.value ?? text,
    };
    const attributes = platform === "ios"
      ? { class: kind, text, ...accessible }
      : { class: kind, "resource-id": `${this.#bundle}:id/${id}`, "content-desc": text, text: touched.value || text };
    return {
      type: kind, path: `${kind}[${id}]`, source: "native", attributes,
      bounds: { x: x - screen.x, y: y - screen.y, width, height },
      ...(platform === "ios" && { accessibilityElements: [accessible] }),
    };
  }

  // --- what the page does

  tap({ element, position, coordinates } = {}) {
    this.#device.heartbeat();
    const matched = element ? this.#find(element) : undefined;
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

  #find({ type, attributes = {} }) {
    const fits = (candidate) => {
      const described = this.describe(candidate);
      const same = ([name, value]) => described.attributes[name] === value;
      return (type === undefined || described.type === type) && Object.entries(attributes).every(same);
    };
    const found = [...this.#screen.querySelectorAll("[data-id]")].filter(fits);
    if (found.length !== 1) throw new Error(found.length ? "More than one element matches" : "No element found");
    return found[0];
  }

  #under(position, coordinates) {
    const { x, y, width, height } = this.#screen.getBoundingClientRect();
    const share = (value) => (typeof value === "string" ? Number.parseFloat(value) / 100 : value);
    const at = position ? [x + share(position.x) * width, y + share(position.y) * height] : [x + coordinates?.x, y + coordinates?.y];
    const target = at.every(Number.isFinite) ? document.elementFromPoint(...at) : null;
    if (!target || !this.#screen.contains(target)) throw new Error("That is not on the screen");
    return target;
  }

  #played(action, matched) {
    return { playback: { action, timeout: 10000 }, matchedElements: matched ? [this.describe(matched)] : [] };
  }
}
