// The SDK's surface as pages use it: window.appetize.getClient, client, session. The device is an <iframe> of another
// origin; page and device speak over a MessagePort, which each gives and takes only after checking the other's origin.
(() => {
  "use strict";

  const OWN = new URL(/** @type {HTMLScriptElement} */ (document.currentScript).src).origin;
  const ANSWER_MS = 15000;
  const LIMIT = 1000; // characters that one type() may send
  const clients = new WeakMap();

  class Emitter {
    #listeners = new Map();

    on(event, listener) {
      if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
      this.#listeners.get(event).add(listener);
      return this;
    }

    off(event, listener) {
      this.#listeners.get(event)?.delete(listener);
      return this;
    }

    once(event, listener) {
      const only = (value) => { this.off(event, only); listener(value); };
      return this.on(event, only);
    }

    emit(event, value) {
      for (const listener of [...(this.#listeners.get(event) ?? [])]) {
        try { listener(value); } catch (error) { reportError(error); } // one listener never stops another
      }
    }
  }

  // Calls with answers, and events, over the port to the device.
  class Link {
    #port;
    #heard;
    #waiting = new Map();
    #number = 0;

    constructor(port, heard) {
      this.#port = port;
      this.#heard = heard;
      port.onmessage = ({ data }) => this.#take(data);
    }

    call(name, value) {
      const id = ++this.#number;
      return new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        this.#port.postMessage({ id, call: name, value });
      });
    }

    close(why) {
      this.#port.close();
      for (const { reject } of this.#waiting.values()) reject(new Error(why));
      this.#waiting.clear();
    }

    #take(message) {
      const waiting = this.#waiting.get(message.id);
      if (waiting) {
        this.#waiting.delete(message.id);
        if (message.ok) waiting.resolve(message.value); else waiting.reject(new Error(message.error));
      } else if (message.event) this.#heard(message);
    }
  }

  class Session extends Emitter {
    #link;
    /** @type {AppetizeSession["config"]} */
    config;
    /** @type {AppetizeSession["device"]} */
    device;
    /** @type {AppetizeSession["app"]} */
    app;

    constructor(link, { config, device, app }) {
      super();
      this.#link = link;
      this.config = config;
      this.device = device;
      this.app = app;
    }

    end() { return this.#link.call("endSession"); }
    openUrl(url) { return this.#link.call("openUrl", String(url)); }
    heartbeat() { return this.#link.call("heartbeat"); }
    restartApp() { return this.#link.call("restartApp"); }
    reinstallApp() { return this.#link.call("reinstallApp"); }
    swipe(args) { return this.#recorded("swipe", args); }
    tap(args) { return this.#recorded("tap", args); }
    keypress(key, options = {}) { return this.#link.call("keypress", { key, shift: Boolean(options.shift) }); }

    async type(text) {
      if (typeof text !== "string" || text.length > LIMIT) throw new Error(`type() takes up to ${LIMIT} characters`);
      return this.#link.call("type", text);
    }

    async screenshot(format = "buffer") {
      const { data, mimeType } = await this.#link.call("screenshot");
      if (format === "buffer") return { data, mimeType };
      return { data: `data:${mimeType};base64,${btoa(String.fromCharCode(...data))}`, mimeType };
    }

    async #recorded(name, args) {
      if (!this.config.record) throw new Error(`${name}() needs record`);
      return this.#link.call(name, args);
    }
  }

  class Client extends Emitter {
    #link;
    #config = {};
    #session;
    #requesting;
    /** @type {AppetizeClient["device"]} */
    device = /** @type {any} */ (undefined); // known once it is connected
    /** @type {AppetizeClient["app"]} */
    app;

    // The device's answer to a configuration has what it made of it.
    adopt(link, { config, device, app }) {
      this.#link = link;
      this.#config = config;
      this.device = device;
      this.app = app;
    }

    drop(why) {
      this.#link?.close(why);
      this.#requesting?.reject(new Error(why));
      this.#requesting = undefined;
    }

    getConfig() { return structuredClone(this.#config); }

    async setConfig(config = {}) {
      const answer = await this.#link.call("setConfig", config);
      this.adopt(this.#link, answer);
      return this.getConfig();
    }

    /** @returns {Promise<Session>} */
    async startSession(config = {}) {
      await this.endSession();
      await this.setConfig(config);
      return new Promise((resolve, reject) => {
        this.#requesting = { resolve, reject };
        this.#link.call("requestSession").catch(reject);
      });
    }

    async endSession() {
      this.#requesting?.reject(new Error("Session request was cancelled"));
      this.#requesting = undefined;
      await this.#link.call("endSession");
    }

    heard({ to, event, value }) {
      if (to === "session") this.#session?.emit(event, value);
      else this.#happened(event, value);
    }

    #happened(event, value) {
      if (event === "app") this.app = value;
      if (event === "deviceInfo") this.device = value;
      if (event === "session") this.#session = new Session(this.#link, value);
      if (event === "sessionEnded") {
        const session = this.#session;
        this.#session = undefined;
        session?.emit("end");
      }
      const failed = event === "sessionError" ? new Error(value.message) : undefined;
      const requesting = this.#requesting;
      if (["session", "sessionError", "error"].includes(event)) this.#requesting = undefined;
      this.emit(event, event === "session" ? this.#session : failed ?? value);
      if (event === "session") requesting?.resolve(this.#session);
      if (failed) requesting?.reject(failed);
      if (event === "error") requesting?.reject(new Error(`Session failed to start - ${value.message}`));
    }
  }

  // Wait until the device in `frame` says hello from `origin`, and give it, and nobody else, one end of a channel.
  // It says so when it has come, and when it is asked: whichever reaches it.
  function connect(frame, origin, heard) {
    return new Promise((resolve, reject) => {
      const over = setTimeout(() => done(reject, new Error("the device does not answer")), ANSWER_MS);
      const done = (settle, value) => {
        clearTimeout(over);
        removeEventListener("message", hello);
        settle(value);
      };
      const hello = (message) => {
        const own = message.source === frame.contentWindow && message.origin === origin;
        if (!own || message.data?.standin !== "hello") return;
        const { port1, port2 } = new MessageChannel();
        frame.contentWindow.postMessage({ standin: "connect" }, origin, [port2]);
        done(resolve, new Link(port1, heard));
      };
      addEventListener("message", hello);
      // about:blank has a document that this page can see; only what came from elsewhere can be asked
      if (!frame.contentDocument) frame.contentWindow.postMessage({ standin: "ask" }, origin);
    });
  }

  function target(frame, config) {
    const base = new URL(frame.dataset.appetizeUrl || OWN).origin;
    if (config === undefined) {
      const address = frame.getAttribute("src") ? new URL(frame.src) : undefined;
      if (address?.origin !== base || !address.pathname.startsWith("/embed/")) {
        throw new Error(`getClient(selector) needs src="${base}/embed/<buildId>"; or pass a config, and no src`);
      }
      return base;
    }
    if (frame.hasAttribute("src")) throw new Error("getClient(selector, config) needs an <iframe> without src");
    const build = config.buildId || config.publicKey;
    if (typeof build !== "string" || !build) throw new Error("the config needs a buildId");
    frame.src = `${base}/embed/${encodeURIComponent(build)}`; // nothing else: what is secret goes over the port
    return base;
  }

  async function getClient(selector, config) {
    const frame = typeof selector === "string" ? document.querySelector(selector) : selector;
    if (!(frame instanceof HTMLIFrameElement)) throw new Error("the selector matches no <iframe>");
    const origin = target(frame, config);
    clients.get(frame)?.drop("another client took over");
    const client = new Client();
    clients.set(frame, client);
    const link = await connect(frame, origin, (message) => client.heard(message));
    client.adopt(link, await link.call("setConfig", config ?? {}));
    setTimeout(() => link.call("announce"), 0); // once who asked has put up listeners
    return client;
  }

  window.appetize = Object.freeze({ getClient });
})();
