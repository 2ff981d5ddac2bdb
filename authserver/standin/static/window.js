// Where the phone is a page of its own, the vendor's client library for tests (npm: @appetize/playwright) drives it by
// messages that the window sends to itself. This speaks that protocol; nobody but scripts of this page can send such one.

import { pause } from "./parts.js";

const SEARCH_MS = 200;
const SETTLE_SECONDS = 0.3;
const SOCKETS = { client: "webserver", session: "appetizer" };
// What the library calls otherwise on the way than in its events.
const NAMES = {
  log: "debug", error: "userError", interaction: "userInteractionReceived", action: "recordedAction",
  inactivityWarning: "countdownWarning",
};

export class Window {
  #device;
  #recorder;
  #screenshot;

  constructor(device, recorder, screenshot) {
    this.#device = device;
    this.#recorder = recorder;
    this.#screenshot = screenshot;
    addEventListener("message", (message) => {
      const own = message.source === window && message.origin === location.origin;
      const [answer] = message.ports;
      if (own && answer) void this.#asked(message.data, answer);
    });
  }

  async #asked(data, answer) {
    const { type, value } = typeof data === "string" ? { type: data } : data;
    const about = () => this.#device.about();
    const answers = {
      init: () => true,
      getApp: () => about().app,
      getDeviceInfo: () => about().device,
      loadApp: () => this.#device.setConfig({ buildId: value }).app,
      setConfig: () => ({ ...this.#device.setConfig(value).config, platform: this.#device.platform }),
      requestSession: () => void this.#device.request(),
      endSession: () => this.#device.end(),
      emitSocketEvent: () => this.#sent(value),
    };
    if (!Object.hasOwn(answers, type)) return;
    answer.postMessage(answers[type]());
  }

  // What the page's own events are on the way to the library.
  emit(event, value, to = "client") {
    const socket = SOCKETS[to];
    if (event === "app" || event === "deviceInfo" || event === "sessionRequested") return this.#post({ type: event, value });
    if (event === "session") return this.#begun(() => this.#event("ready", undefined));
    if (event === "sessionError") return this.#begun(() => this.#event("userError", value));
    if (event === "sessionEnded") {
      this.#event("sessionEnded", undefined, socket);
      return this.#post({ type: "disconnect" });
    }
    if (event === "queue") return this.#event(value.type === "concurrent" ? "concurrentQueue" : "queue", value, socket);
    if (event === "queueEnd") return undefined; // the library tells it by itself
    if (event === "network") return this.#event(value.type === "request" ? "interceptRequest" : "interceptResponse", value);
    return this.#event(NAMES[event] ?? event, event === "action" ? this.#raw(value) : value, socket);
  }

  #post(message) { postMessage(message, location.origin); }

  #event(type, value, socket = SOCKETS.session) {
    this.#post({ type: "socketEvent", value: { socket, type, value } });
  }

  #begun(then) {
    this.#event("newSession", { path: location.origin, sessionToken: crypto.randomUUID() }, SOCKETS.client);
    this.#event("capabilities", { getScreenshot: true, cactus: true });
    then();
  }

  async #sent({ type, value }) {
    const device = this.#device;
    const sent = {
      disconnect: () => device.end(),
      userInteraction: () => device.heartbeat(),
      openUrl: () => device.openUrl(value.url),
      restartApp: () => device.restart(),
      reinstallApp: () => device.restart({ reinstall: true }),
      setLanguage: () => device.restart(),
      getScreenshot: async () => this.#event("screenshot", { success: true, ...(await this.#screenshot()) }),
      dumpUi: () => this.#event("uiDump", { ui: this.#recorder.everything().map((each) => this.#rawElement(each)) }),
      waitForAnimationsStart: async () => {
        await pause(SETTLE_SECONDS);
        this.#event("waitForAnimationsEnd", undefined);
      },
      playAction: () => this.#play(value),
    };
    if (device.live && Object.hasOwn(sent, type)) await sent[type]();
    if (type === "disconnect" && !device.live) device.end();
  }

  // Look for the element until it is there or the time is over, as the vendor's devices do.
  async #play({ id, action, options = {} }) {
    const until = performance.now() + (options.timeout ?? 0) * 1000;
    const playback = { id, action, timeout: options.timeout ?? 0 };
    for (;;) {
      try {
        const { matchedElements } = this.#recorder.play(this.#given(action), options.matchIndex);
        return this.#event("playbackFoundAndSent", { playback, matchedElements: matchedElements.map((each) => this.#rawElement(each)) });
      } catch (error) {
        const { message, errorId = "internalError" } = error;
        if (errorId !== "notFound" || performance.now() >= until) return this.#event("playbackError", { message, errorId, playback });
      }
      await pause(SEARCH_MS / 1000);
    }
  }

  // The library speaks of pixels on Android and of points on iOS; the stand-in of points alone.
  get #ratio() { return this.#device.about().device.screen.devicePixelRatio ?? 1; }

  #given(action) {
    const point = (at) => at && { x: at.x / this.#ratio, y: at.y / this.#ratio };
    return { ...action, ...(action.coordinates && { coordinates: point(action.coordinates) }) };
  }

  #raw(action) {
    const scaled = ({ x, y, ...more }) => ({ ...more, x: x * this.#ratio, y: y * this.#ratio });
    const { width, height } = this.#device.about().device.screen;
    return {
      ...action,
      ...(action.coordinates && { coordinates: scaled(action.coordinates) }),
      ...(action.element && { element: this.#rawElement(action.element) }),
      ...(action.moves && { moves: action.moves.map(({ x, y, t }) => scaled({ x: x * (width - 1), y: y * (height - 1), t })) }),
    };
  }

  #rawElement(element) {
    const bounds = Object.fromEntries(Object.entries(element.bounds).map(([name, value]) => [name, value * this.#ratio]));
    const { children, ...own } = element;
    return { ...own, bounds, ...(children && { children: children.map((each) => this.#rawElement(each)) }) };
  }
}
