// The embed page: starts the device, shows how it is and how long still, reports what is done, ends with the impersonation.
import { Device, loadSdk } from "./handoff.js";
import { Reports } from "./reports.js";
import { call } from "./page_calls.js";

/** @typedef {import("./handoff.js").DeviceState} DeviceState */
/** @typedef {import("./handoff.js").DeviceEvent} DeviceEvent */

const LOST_SECONDS = 30; // then the server, too, takes the device for closed
const ANNOUNCED = [300, 60];
/** @type {Record<string, string>} */
const WAITING = {
  requested: "The request is being looked at …",
  awaiting_approval: "Waiting for a colleague to approve …",
  awaiting_consent: "Waiting for the customer to allow it …",
};
/** @type {Record<import("./handoff.js").Failure, string>} */
const FAILED = {
  sdk: "The device's software could not be loaded. Check your connection and try again.",
  device: "No device can be had now. Try again in a moment.",
  not_ready: "The device did not become ready. Try again.",
};
/** @type {Record<string, string>} */
const OVER = {
  actor: "You ended it.", subject: "The customer ended it.", staff: "A lead or an administrator ended it.",
  clock: "Its time is over.", grace: "No device ran for a while.", session_ended: "You were signed out.",
  user_disabled: "An account was closed.", client_disabled: "The application was switched off.",
};
/** @type {Record<string, string>} */
const OVER_BY_STATE = {
  denied: "It was refused.", expired: "Nobody decided in time.", revoked: "It was revoked.", ended: "Its time is over.",
};
const NOT_PASSED = "The app could not be signed in.";
const SWITCHED_OFF = "This app was switched off, so no device of it runs any more.";
const NOT_GIVEN = "This device cannot be started any more. Start a new one from where you came.";

const root = /** @type {HTMLElement} */ (document.querySelector("#embed"));
/** @param {string} name */
const part = (name) => /** @type {HTMLElement & {disabled: boolean}} */ (root.querySelector(`[data-part="${name}"]`));
const reports = new Reports();
/** @type {Device | undefined} */
let device;
let begun = false;
let over = false;
let left = Number(root.dataset.left);
let counted = performance.now();
let heard = performance.now();
let polling = false;
let shut = false; // there is no device any more
let ending = false;
let wanted = false; // the app waits for a fresh value by deep link
let passing = false;
let pending = ""; // what the impersonation waits for
let prepared = false;

/** @param {string} words */
function say(words) { if (part("status").textContent !== words) part("status").textContent = words; }

/**
 * What went wrong, with a button for what a person may do about it.
 * @param {string} [words]
 * @param {string} [label]
 * @param {() => unknown} [act]
 */
function trouble(words, label, act) {
  part("trouble").hidden = !words;
  part("words").textContent = words ?? "";
  part("again").hidden = !act;
  if (act) part("again").textContent = label ?? "";
  part("again").onclick = act ? () => { trouble(); void act(); } : null;
}

/** @param {DeviceState} state */
function shown(state) {
  part("restart").disabled = !["running", "warned"].includes(state.name);
  part("restart").hidden = !["starting", "running", "warned"].includes(state.name);
  part("place").classList.toggle("on", ["running", "warned", "starting"].includes(state.name));
  if (over || shut || ending) return;
  if (state.name !== "failed") trouble();
  if (state.name === "asking") { reports.stage("requested"); say("Asking for a device …"); }
  if (state.name === "queued") say(`Waiting for a device: number ${state.position} in the queue.`);
  if (state.name === "starting") { reports.stage("started"); say("The device starts …"); }
  if (state.name === "running") runs();
  if (state.name === "warned") {
    say("");
    const words = `The device closes in ${state.secondsRemaining} seconds because nobody touches it.`;
    trouble(words, "Keep it running", () => device?.keep().catch(() => undefined));
  }
  if (state.name === "failed") { say(""); trouble(FAILED[state.why], "Try again", () => device?.start()); }
  if (state.name === "ended") closed("The device was closed. For a short time you can start a new one without asking again.");
}

function runs() { say(pending ? `The device is ready, with nobody signed in. ${WAITING[pending]}` : "The device runs."); }

/** @param {DeviceEvent} event */
function happened(event) {
  if (event.event === "firstFrame") return reports.stage("first_frame");
  if (event.event === "appLaunch") {
    reports.stage("app_launched");
    wanted ||= root.dataset.how === "deep_link";
  }
  reports.add(event);
}

// Hand the app a fresh value by deep link; where it was asked for too soon the next second asks again.
async function pass() {
  passing = true;
  const { status, body } = await call("code");
  wanted = [0, 429, 503].includes(status);
  const opened = status === 200 && (await device?.open(body.url).then(() => true, () => false));
  passing = false;
  if (!opened && !wanted && device && !over) trouble(NOT_PASSED, "Try again", () => { wanted = true; });
}

async function begin() {
  begun = true;
  say("Getting ready …");
  const { sdk, base } = root.dataset;
  try {
    await loadSdk(sdk); // before the configuration, which is given out once
  } catch {
    say("");
    return trouble(FAILED.sdk, "Try again", begin);
  }
  const { status, body } = await call("config");
  if (over || shut) return;
  if (status === 409) { begun = false; return; }
  if (status === 0 || status === 503) return trouble("The server does not answer.", "Try again", begin);
  if (status !== 200) return closed(NOT_GIVEN, { ran: false });
  device = new Device({ element: part("place"), configuration: body, sdkUrl: sdk, baseUrl: base, onState: shown, onEvent: happened });
  await device.start();
}

/**
 * The device is gone, the impersonation may go on: End stays, and the time that is left to open another.
 * @param {string} words
 */
async function closed(words, { ran = true } = {}) {
  if (shut || over) return;
  shut = begun = true;
  const gone = device;
  device = undefined;
  gone?.end();
  ticker.terminate();
  say("");
  trouble(words);
  part("place").hidden = part("restart").hidden = true;
  setInterval(count, 1000);
  if (!ran) return;
  reports.stage("ended");
  await reports.send();
  await poll();
}

/**
 * @param {string} heading
 * @param {string} words
 */
function finish(heading, words) {
  if (over) return;
  over = true;
  const gone = device;
  device = undefined;
  gone?.end();
  ticker.terminate();
  if (gone) reports.stage("ended");
  void reports.send();
  trouble();
  for (const name of ["bar", "stage"]) part(name).hidden = true;
  part("over").hidden = false;
  part("heading").textContent = heading;
  part("reason").textContent = words;
  part("heading").focus();
  document.title = `${heading} · ${document.title}`;
}

function count() {
  if (over) return;
  const seconds = Math.max(0, Math.ceil(left - (performance.now() - counted) / 1000));
  const text = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (part("left").textContent !== text) part("left").textContent = text;
  const told = ANNOUNCED.includes(seconds) && `${seconds / 60} minute${seconds > 60 ? "s" : ""} left.`;
  if (told) part("spoken").textContent = told;
  if (!seconds && shut) finish("This is over", "Its time is over.");
}

async function poll() {
  if (polling || over) return;
  polling = true;
  const { status, body } = await call("state");
  polling = false;
  if (over) return;
  if (status === 200) return keepUp(body);
  if ([403, 404, 410].includes(status)) return finish("This page was closed", "You were signed out, or this page is no longer yours.");
  const silent = (performance.now() - heard) / 1000;
  if (silent > LOST_SECONDS || performance.now() - counted > left * 1000) closed("The connection was lost, so the device was closed.");
  else if (silent > 5) say("The server does not answer. Trying again …");
}

/** @param {Record<string, any>} state as the server tells it */
function keepUp(state) {
  heard = counted = performance.now();
  left = state.seconds_left;
  count();
  const waiting = state.pending;
  const decided = pending && !waiting;
  pending = waiting ? state.state : "";
  if (decided) part("acting").textContent = `You act as ${state.subject}`;
  if (decided) part("clock").textContent = "Time left";
  if (!waiting && state.state !== "active") return finish("This is over", OVER[state.end_reason] ?? OVER_BY_STATE[state.state]);
  if (shut) return undefined;
  if (state.app_off) return closed(SWITCHED_OFF, { ran: device !== undefined });
  if (waiting && state.how !== "deep_link") {
    if (!prepared) void loadSdk(root.dataset.sdk).catch(() => undefined); // what can be had before the answer
    prepared = true;
    return say(WAITING[state.state]);
  }
  if (decided && device?.state.name === "running") runs();
  if (wanted && !passing && !waiting && device) void pass();
  if (device && state.device_ended) return closed("The device was closed because this page was not heard of for a while.");
  if (begun) return undefined;
  if (state.configured) return closed("The device ran in this page before it was loaded again. " + NOT_GIVEN, { ran: false });
  return begin();
}

part("restart").addEventListener("click", async () => {
  part("restart").disabled = true;
  reports.add({ event: "restartApp", at: new Date().toISOString() });
  await device?.restart().catch(() => undefined);
  wanted = root.dataset.fresh === "yes";
  setTimeout(() => { part("restart").disabled = device === undefined; }, 2000);
});

part("end").addEventListener("click", async () => {
  part("end").disabled = ending = true;
  device?.end();
  const { status } = await call("end");
  if (status === 200 || status === 404 || status === 410) return finish("This is over", OVER.actor);
  part("end").disabled = false;
  ending = false;
  void closed("");
  return trouble("It could not be ended. The device is closed; try End again.");
});

addEventListener("pagehide", () => {
  if (!begun || over || !device) return;
  reports.stage("ended");
  reports.send({ keepalive: true });
});
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void poll(); });
const ticker = new Worker(root.dataset.ticker ?? "", { type: "module" });
let ticks = 0;
ticker.onmessage = () => {
  ticks += 1;
  if (ticks % 2 && !pending) return; // the answer to a request is worth asking for more often
  count();
  void poll();
  if (begun) void reports.send();
};
count();
void poll();
