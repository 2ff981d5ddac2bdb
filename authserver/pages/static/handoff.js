// Turns a handoff's configuration into a running device. Pages of other origins import it from <issuer>/appetize/handoff.js;
// our own embed page runs on it too. What is secret stays in private fields: never in the document, storage or the console.
// @ts-check

/**
 * What a device is about, and why there is none.
 * @typedef {"sdk" | "device" | "not_ready"} Failure
 * @typedef {{name: "asking" | "starting" | "running" | "ended"}
 *   | {name: "queued", position: number}
 *   | {name: "warned", secondsRemaining: number}
 *   | {name: "failed", why: Failure}} DeviceState
 *
 * An event as it may be told: never with text, labels, values, keys or coordinates.
 * @typedef {{event: string, at: string, element?: {type?: string, identifier?: string}}} DeviceEvent
 *
 * @typedef {object} Options
 * @property {string | Element} element where the device's frame is put; a selector or an element
 * @property {string} [sdkUrl] the address of the vendor's SDK
 * @property {string} [baseUrl] the base URL of a private cloud
 * @property {(state: DeviceState) => void} [onState]
 * @property {(event: DeviceEvent) => void} [onEvent]
 */

const SDK = "https://js.appetize.io/embed.js";
const HEARTBEAT_MS = 15000;
/** @type {Record<string, string>} */
const KINDS = { tap: "tap", swipe: "swipe", keypress: "keypress", type: "type", typeText: "type" };
const PRESSED = ["mousedown", "touchstart", "keydown"];

/** A configuration that was not given: `status` is the answer's, 0 where there was none. */
export class HandoffError extends Error {
  /** @param {number} status */
  constructor(status) {
    super("The configuration was not given.");
    this.status = status;
  }
}

/** @type {Promise<AppetizeSdk> | undefined} */
let loading;

/**
 * Load the SDK, once; a load that failed can be tried again.
 * @param {string} [sdkUrl]
 * @returns {Promise<AppetizeSdk>}
 */
export function loadSdk(sdkUrl = SDK) {
  if (window.appetize) return Promise.resolve(window.appetize);
  loading ??= load(sdkUrl).finally(() => { loading = undefined; });
  return loading;
}

/**
 * @param {string} sdkUrl
 * @returns {Promise<AppetizeSdk>}
 */
function load(sdkUrl) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = sdkUrl;
    const failed = () => {
      script.remove();
      reject(new Error("The SDK did not load."));
    };
    script.onload = () => (window.appetize ? resolve(window.appetize) : failed());
    script.onerror = failed;
    document.head.append(script);
  });
}

/** A device for one configuration. */
export class Device {
  #options;
  /** @type {AppetizeConfig} */
  #configuration;
  /** @type {HTMLIFrameElement | undefined} */
  #frame;
  /** @type {AppetizeClient | undefined} */
  #client;
  /** @type {AppetizeSession | undefined} */
  #session;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #busy = false;
  #over = false;
  /** @type {DeviceState} */
  state = { name: "asking" };

  /** @param {Options & {configuration: AppetizeConfig}} options */
  constructor({ configuration, ...options }) {
    this.#options = options;
    this.#configuration = configuration;
  }

  /** Ask for a session; after a failure ask again, when a person wants to. It never rejects: see `state`. */
  async start() {
    if (this.#busy || this.#over || this.#session) return;
    this.#busy = true;
    this.#tell({ name: "asking" });
    try {
      this.#client ??= await this.#connect();
      if (!this.#over) await this.#client.startSession();
    } catch {
      this.#failed("device");
    } finally {
      this.#busy = false;
    }
  }

  /** Start the app again; a one-time code that came with the launch is used up then, so pass a fresh one to `open`. */
  async restart() { await this.#session?.restartApp(); }

  /** @param {string} url a deep link */
  async open(url) { await this.#session?.openUrl(url); }

  /** Keep the session, as touching the device does. */
  async keep() {
    await this.#session?.heartbeat();
    if (this.state.name === "warned") this.#tell({ name: "running" });
  }

  /** End the session and take the picture away at once, whether the device answers or not; for good. */
  end() {
    const running = this.#session;
    this.#stop();
    Promise.resolve(running?.end()).catch(() => undefined).finally(() => this.#frame?.remove());
    if (this.#frame) this.#frame.hidden = true;
    setTimeout(() => this.#frame?.remove(), 300);
    if (this.state.name !== "ended") this.#tell({ name: "ended" });
  }

  #stop() {
    this.#over = true;
    this.#session = undefined;
    this.#configuration = {};
    clearInterval(this.#timer);
  }

  async #connect() {
    const { element, sdkUrl, baseUrl } = this.#options;
    const sdk = await loadSdk(sdkUrl).catch(() => this.#failed("sdk"));
    if (!sdk || this.#over) throw new Error("no SDK");
    this.#frame?.remove();
    const frame = (this.#frame = document.createElement("iframe"));
    frame.id = "appetize-device";
    frame.title = "The device's screen";
    if (baseUrl) frame.dataset.appetizeUrl = baseUrl;
    const place = typeof element === "string" ? document.querySelector(element) : element;
    if (!place) throw new Error("no place for the device");
    place.append(frame);
    const client = await sdk.getClient(`#${frame.id}`, this.#configuration);
    client.on("sessionRequested", () => this.#tell({ name: "asking" }));
    client.on("queue", ({ position }) => this.#tell({ name: "queued", position }));
    client.on("queueEnd", () => this.#tell({ name: "starting" }));
    client.on("error", () => this.#failed("device"));
    client.on("sessionError", () => this.#failed("not_ready"));
    client.on("session", (session) => this.#hear(session));
    client.on("sessionEnded", () => this.#ended());
    return client;
  }

  /** @param {AppetizeSession} session */
  #hear(session) {
    if (this.#over) return void session.end();
    this.#session = session;
    this.#tell({ name: "starting" });
    session.on("firstFrameReceived", () => this.#happened("firstFrame"));
    session.on("appLaunch", () => {
      this.#happened("appLaunch");
      this.#tell({ name: "running" });
    });
    session.on("inactivityWarning", ({ secondsRemaining }) => {
      this.#happened("inactivityWarning");
      this.#tell({ name: "warned", secondsRemaining });
    });
    session.on("action", (action) => this.#touched(action));
    session.on("interaction", (touch) => this.#interacted(touch.type));
    session.on("orientationChanged", () => this.#happened("orientationChanged"));
    session.on("openUrlCompleted", () => this.#happened("openUrl"));
    session.on("error", () => this.#happened("error"));
    session.on("end", () => this.#ended());
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible") Promise.resolve(session.heartbeat()).catch(() => undefined);
    }, HEARTBEAT_MS);
  }

  // Where actions are recorded, they say the same and more.
  /** @param {string} type */
  #interacted(type) {
    if (this.state.name === "warned") this.#tell({ name: "running" });
    if (this.#configuration.record !== true && PRESSED.includes(type)) this.#happened("interaction");
  }

  /** @param {import("@appetize/playwright").RecordedAction} action */
  #touched(action) {
    const element = "element" in action ? action.element : undefined;
    const { "resource-id": android, accessibilityIdentifier: ios } = element?.attributes ?? {};
    const identifier = android ?? ios;
    const named = typeof identifier === "string" ? { identifier } : {};
    this.#happened(KINDS[action.type] ?? "action", element && { type: element.type, ...named });
  }

  /**
   * @param {string} event
   * @param {DeviceEvent["element"]} [element]
   */
  #happened(event, element) {
    this.#options.onEvent?.({ event, at: new Date().toISOString(), ...(element && { element }) });
  }

  #ended() {
    if (!this.#session) return;
    this.#stop();
    this.#frame?.remove();
    this.#happened("end");
    this.#tell({ name: "ended" });
  }

  /** @param {Failure} why */
  #failed(why) {
    if (this.#over || this.#session || this.state.name === "failed") return;
    this.#tell({ name: "failed", why });
  }

  /** @param {DeviceState} state */
  #tell(state) {
    this.state = state;
    this.#options.onState?.(state);
  }
}

/**
 * Fetch the configuration, which is given out once, and run the device. Throws HandoffError where it is not given.
 * @param {Options & {configUrl: string, configSecret: string}} options
 * @returns {Promise<Device>} a device that runs; or whose `state` is `failed`, and which a person may `start()` again
 */
export async function handoff({ configUrl, configSecret, ...options }) {
  await loadSdk(options.sdkUrl); // first: what is given out once must not be lost for want of a script
  const answer = await fetch(configUrl, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ config_secret: configSecret }),
    credentials: "omit",
    referrerPolicy: "no-referrer",
  }).catch(() => undefined);
  if (!answer?.ok) throw new HandoffError(answer?.status ?? 0);
  const device = new Device({ ...options, configuration: await answer.json() });
  await device.start();
  return device;
}
