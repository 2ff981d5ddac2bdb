// The device: what a session goes through, from the request to its end.

import { ask, pause } from "./parts.js";

const BOOT_SECONDS = 0.4;
const WARNINGS = [30, 20, 10]; // seconds before the end for want of interaction
const WATCH_MS = 200;
const IOS_LINK = 2048; // characters that a deep link may have on iOS; the rest is cut
const MODELS = { // their screens in points; Android devices tell how many pixels are one
  android: ["pixel7", "Pixel 7", "13.0", { width: 412, height: 915, devicePixelRatio: 2.625 }],
  ios: ["iphone14pro", "iPhone 14 Pro", "17.2", { width: 393, height: 852 }],
};

export class Device {
  config = { record: true, debug: false };
  #build;
  #link;
  #screen;
  #app;
  #run; // an AbortController while a session is asked for or lasts
  #live = false;
  #active = 0;

  constructor(build, { link, screen, app }) {
    this.#build = build;
    this.#link = link;
    this.#screen = screen;
    this.#app = app;
  }

  get live() { return this.#live; }
  get size() { return MODELS[this.platform][3]; }
  get platform() { return this.config.platform === "ios" ? "ios" : "android"; }

  about() {
    const [type, name, osVersion, size] = MODELS[this.platform];
    const app = { buildId: this.#build, publicKey: this.#build, name: "Demo Bank", bundle: this.#app.bundle, platform: this.platform };
    const { width: embedWidth, height: embedHeight } = document.documentElement.getBoundingClientRect();
    const screen = this.#screen.bounds();
    return {
      config: this.config,
      app,
      device: {
        type: this.config.device ?? type, name, osVersion, orientation: "portrait",
        screen: { ...size },
        embed: {
          width: embedWidth, height: embedHeight,
          screen: { width: screen.width, height: screen.height, offset: { x: screen.x, y: screen.y } },
        },
      },
    };
  }

  announce() {
    const { app, device } = this.about();
    this.#link.emit("app", app);
    this.#link.emit("deviceInfo", device);
  }

  setConfig({ buildId, publicKey, ...config } = {}) {
    this.end();
    this.#build = buildId ?? publicKey ?? this.#build;
    this.config = { ...this.config, ...config };
    if (buildId ?? publicKey) this.announce();
    if (this.config.autoplay === true) void this.request();
    return this.about();
  }

  async request() {
    if (this.#run) return;
    const run = (this.#run = new AbortController());
    this.#link.emit("sessionRequested");
    this.#screen.waiting("Asking for a device …");
    const { status, body: plan } = await ask("POST", "/sessions");
    if (run.signal.aborted) return;
    const fate = plan.fate ?? {};
    if (status !== 200 || fate.next === "error") return this.#fail("error", "No device can be had now.");
    if (fate.next === "queue" && !(await this.#queue(fate, run.signal))) return;
    this.#screen.waiting("The device starts …");
    if (!(await pause(fate.next === "slow" ? fate.seconds : BOOT_SECONDS, run.signal))) return;
    if (fate.next === "sessionError") return this.#fail("sessionError", "The device did not become ready.");
    await this.#begin(plan.inactivity_seconds, run.signal);
    if (fate.next === "die" && (await pause(fate.seconds, run.signal))) {
      this.#link.emit("error", { message: "The device was lost." }, "session");
      this.end("The device was lost.");
    }
  }

  async #queue({ type, name, positions, seconds }, signal) {
    for (let position = positions; position > 0; position--) {
      this.#link.emit("queue", type === "concurrent" ? { type, name, position } : { type, position });
      this.#screen.waiting(`Waiting for a device: number ${position} in the queue`);
      if (!(await pause(seconds, signal))) return false;
    }
    this.#link.emit("queueEnd");
    return true;
  }

  async #begin(seconds, signal) {
    this.#live = true;
    this.#link.emit("session", this.about());
    const { params = {}, launchUrl } = this.config;
    await pause(0.1, signal); // the page puts up its listeners
    if (signal.aborted) return;
    this.#link.emit("firstFrameReceived", undefined, "session");
    this.#app.install(this.#received(params));
    this.#launch(launchUrl);
    this.#watch(seconds, signal);
  }

  #launch(url) {
    this.#screen.running();
    this.#app.launch(url === undefined ? undefined : this.#cut(url));
    this.#link.emit("appLaunch", undefined, "session");
    this.log("ActivityManager: Displayed com.example.bank/.MainActivity");
  }

  // Objects and lists arrive on Android as text; `isAppetize` is always set.
  #received(params) {
    const serialised = ([name, value]) =>
      [name, this.platform === "android" && typeof value === "object" ? JSON.stringify(value) : value];
    return { ...Object.fromEntries(Object.entries(params).map(serialised)), isAppetize: true };
  }

  #cut(url) { return this.platform === "ios" ? url.slice(0, IOS_LINK) : url; }

  #fail(event, message) {
    this.#run = undefined;
    this.#link.emit(event, { message });
    this.#screen.off(message);
  }

  end(words = "") {
    if (!this.#run) return;
    this.#run.abort();
    this.#run = undefined;
    this.#live = false;
    this.#app.kill();
    this.#screen.off(words);
    this.#link.emit("sessionEnded");
  }

  touch() { this.#active = performance.now(); }

  #watch(seconds, signal) {
    this.touch();
    let told = seconds;
    const points = WARNINGS.filter((point) => point < seconds);
    if (!points.length) points.push(Math.max(1, Math.floor(seconds / 2)));
    const timer = setInterval(() => {
      const left = Math.ceil(seconds - (performance.now() - this.#active) / 1000);
      const due = points.filter((point) => left <= point && point < told).at(-1);
      told = left > points[0] ? seconds : Math.min(told, due ?? told);
      if (due !== undefined && left > 0) this.#link.emit("inactivityWarning", { secondsRemaining: left }, "session");
      if (left <= 0) this.end("The session ended: nobody touched the device.");
    }, WATCH_MS);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  // --- while a session lasts

  openUrl(url) {
    this.#needSession();
    const arrived = this.#cut(url);
    const web = /^https?:/i.test(arrived);
    const done = { url: arrived, success: web || this.#app.open(arrived), type: web ? "url" : "deeplink" };
    this.touch();
    this.#link.emit("openUrlCompleted", done, "session");
    return done;
  }

  restart({ reinstall = false } = {}) {
    this.#needSession();
    this.touch();
    this.#app.kill();
    if (reinstall) this.#app.reinstall();
    this.#launch();
  }

  heartbeat() {
    this.#needSession();
    this.touch();
  }

  #needSession() {
    if (!this.#live) throw new Error("There is no session");
  }

  interaction(value) { if (this.#live) this.#link.emit("interaction", value, "session"); }
  action(value) { if (this.#live && this.config.record) this.#link.emit("action", value, "session"); }
  log(message) { if (this.#live && this.config.debug) this.#link.emit("log", { message }, "session"); }
  network(value) { if (this.#live && this.config.proxy === "intercept") this.#link.emit("network", value, "session"); }
}
