// The embed page: starts the device with the configuration that it gets once, shows what goes on, tells the server what
// was done, and ends the device the moment the impersonation ends. The configuration is in memory alone, never in the page.

/** What of an event may be kept: which event, when, and which element of the app it was about. */
const KEPT = ["action", "interaction", "appLaunch", "openUrl", "orientationChanged", "inactivityWarning", "error", "end"];
const POLL_MS = 1000;
const HEARTBEAT_MS = 30000;
const MOST_EVENTS = 100;
const WAITING = ["requested", "awaiting_approval", "awaiting_consent"];

const page = document.getElementById("embed");
const show = (name) => document.querySelector(`[data-show="${name}"]`);
const { handoff, how, sdk, base } = page.dataset;

let configuration = null;
let client = null;
let session = null;
let starting = false;
let linked = false;
let over = false;
let state = { state: page.dataset.state };
let counted = 0;
const run = crypto.randomUUID().slice(0, 8); // ids of events count once, also where a page is loaded again
let report = { stages: [], events: [] };

/** Call the server: `<page>/<name>`; a refusal is an Error with its status. */
async function call(name, body = {}, options = {}) {
  const answer = await fetch(`/appetize/embed/${handoff}/${name}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options,
  });
  if (!answer.ok) throw Object.assign(new Error(name), { status: answer.status });
  return answer.json();
}

const say = (words) => { if (show("said").textContent !== words) show("said").textContent = words; };
const now = () => new Date().toISOString();
const stage = (name) => report.stages.push({ stage: name, at: now() });

/** Keep an event for the next report: its element by type and identifier, and nothing else that it carries. */
function keep(name, value) {
  const { type, attributes = {} } = value?.element ?? {};
  const element = { type: type ?? attributes.class, identifier: attributes["resource-id"] ?? attributes.accessibilityIdentifier };
  report.events.push({ id: `${run}-${++counted}`, event: name, at: now(), element });
}

async function tell(options) {
  if (!report.stages.length && !report.events.length) return;
  const sent = { stages: report.stages.splice(0), events: report.events.splice(0, MOST_EVENTS) };
  try {
    await call("events", session?.id ? { ...sent, session: String(session.id) } : sent, options);
  } catch (error) {
    if (error.status) return; // refused for good; what could not be sent at all is sent again
    report = { stages: [...sent.stages, ...report.stages], events: [...sent.events, ...report.events] };
  }
}

function loadSdk() {
  return new Promise((resolve, reject) => {
    if (window.appetize) return resolve();
    const script = document.createElement("script");
    script.src = sdk;
    script.onload = resolve;
    script.onerror = () => reject(new Error("sdk"));
    document.head.append(script);
  });
}

function listenToClient() {
  client.on("queue", ({ position } = {}) => say(position ? `Waiting for a device. Place in the queue: ${position}.` : "Waiting for a device."));
  client.on("queueEnd", () => say("A device is free. It starts."));
  client.on("error", () => failed("The device reported an error."));
  client.on("sessionError", () => failed("The device could not be started."));
  client.on("session", (given) => { session = given; stage("started"); say("The device runs."); listenToSession(); });
  client.on("sessionEnded", ended);
}

function listenToSession() {
  session.on("firstFrameReceived", () => stage("first_frame"));
  session.on("appLaunch", () => { stage("app_launched"); say("The app runs."); link(); });
  session.on("inactivityWarning", ({ secondsRemaining } = {}) => say(`Nothing happens: the device ends in ${secondsRemaining ?? "a few"} seconds. Touch it to go on.`));
  session.on("end", ended);
  for (const name of KEPT) session.on(name, (value) => keep(name, value));
}

/** Pass the value by deep link, once the device runs and the impersonation is active. */
async function link(again = false) {
  if (!session || state.state !== "active" || (linked && !again) || (how !== "deep_link" && !again)) return;
  linked = true;
  try {
    const { url } = await call("code");
    await session.openUrl(url);
  } catch (error) {
    if (how === "deep_link") linked = false;
    if (error.status === 429) setTimeout(() => link(true), 2500);
  }
}

async function start() {
  if (starting || session || over) return;
  starting = true;
  show("retry").hidden = true;
  try {
    say("The device is being started.");
    configuration ??= await call("config");
    await loadSdk();
    client ??= await makeClient();
    stage("requested");
    await client.startSession();
    link();
  } catch (error) {
    failed(error.status === 410 ? "This device was started before. Close the page and start a new one." : "The device could not be started.", error.status !== 410);
  } finally {
    starting = false;
  }
}

async function makeClient() {
  const frame = document.createElement("iframe");
  frame.id = "device";
  frame.title = "The customer's app";
  frame.setAttribute("data-appetize-url", base);
  frame.setAttribute("allow", "clipboard-read; clipboard-write");
  show("device").replaceChildren(frame);
  client = await window.appetize.getClient("#device", configuration);
  listenToClient();
  return client;
}

function failed(words, again = true) {
  if (over) return;
  say(words);
  show("retry").hidden = !again || Boolean(session);
}

function ended() {
  if (!session) return;
  session = null;
  stage("ended");
  tell();
  if (!over) failed("The device has ended.", true);
}

/** Take the picture away and forget everything that could bring it back. */
async function stop() {
  if (over) return;
  over = true;
  const running = session;
  if (running) stage("ended");
  session = null;
  configuration = null;
  show("device").replaceChildren();
  page.dataset.over = "";
  for (const name of ["retry", "restart", "end"]) show(name).hidden = true;
  const words = { clock: "The time is up.", subject: "The customer ended it.", actor: "You ended it.", grace: "The device was closed for too long." };
  say(`${words[state.end_reason] ?? "It was ended."} Nothing of it can be used any more.`);
  show("left").textContent = "over";
  running?.end?.().catch(() => {});
  await tell();
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

function take(shown) {
  state = shown;
  const active = state.state === "active";
  show("left").textContent = WAITING.includes(state.state) ? "waits for a decision" : `${clock(Math.max(0, state.seconds_left))} left`;
  show("restart").hidden = !active || !session;
  if (!active && !WAITING.includes(state.state)) return void stop();
  if (active || how === "deep_link") {
    if (!configuration && show("retry").hidden) start();
    if (active && session) link();
  } else {
    say("Waiting for the customer, or for a second person, to decide.");
  }
}

async function poll() {
  if (over) return;
  try {
    take(await call("state"));
    await tell();
  } catch (error) {
    if ([403, 404, 410].includes(error.status)) await stop();
    else say("The connection is lost. It is being tried again.");
  }
  if (!over) setTimeout(poll, POLL_MS);
}

show("retry").addEventListener("click", start);
show("end").addEventListener("click", async () => {
  show("end").disabled = true;
  try { take(await call("end")); } catch { show("end").disabled = false; say("It could not be ended. Try again."); }
});
show("restart").addEventListener("click", async () => {
  show("restart").disabled = true;
  try { await session?.restartApp(); await link(true); } finally { show("restart").disabled = false; }
});
setInterval(() => { if (session && document.visibilityState === "visible") session.heartbeat?.(); }, HEARTBEAT_MS);
addEventListener("pagehide", () => { if (session) { stage("ended"); tell({ keepalive: true }); } });
poll();
