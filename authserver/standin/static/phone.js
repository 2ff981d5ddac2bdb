// The page of one device: puts the link to the embedding page, the phone's screen, the device and its app together.

import { Bank } from "./bank.js";
import { Device } from "./device.js";
import { Link } from "./link.js";
import { Recorder } from "./recorder.js";
import { Window } from "./window.js";

const { bank: address, build, embedders, issuer, param } = document.documentElement.dataset;
const screen = document.querySelector("#screen");
const [off, waiting, running] = ["off", "waiting", "app"].map((id) => document.querySelector(`#${id}`));
const words = { off: document.querySelector("#off-words"), waiting: document.querySelector("#waiting-words") };
const play = document.querySelector("#play");

function only(shown) {
  for (const view of [off, waiting, running]) view.hidden = view !== shown;
}

const view = {
  bounds: () => screen.getBoundingClientRect(),
  off(said) { words.off.textContent = said; only(off); },
  waiting(said) { words.waiting.textContent = said; only(waiting); },
  running() { only(running); },
};

// A picture of what the screen says; the words of a page cannot be painted as they stand.
async function screenshot() {
  const { width, height } = screen.getBoundingClientRect();
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width)), Math.max(1, Math.round(height)));
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#fff";
  paint.fillRect(0, 0, canvas.width, canvas.height);
  paint.fillStyle = "#17202b";
  paint.font = "14px sans-serif";
  screen.innerText.split("\n").forEach((line, index) => paint.fillText(line, 12, 28 + index * 18));
  const picture = await canvas.convertToBlob({ type: "image/png" });
  return { data: new Uint8Array(await picture.arrayBuffer()), mimeType: "image/png" };
}

const calls = {
  setConfig: (config) => device.setConfig(config),
  announce: () => device.announce(),
  requestSession: () => void device.request(),
  endSession: () => device.end(),
  openUrl: (url) => device.openUrl(url),
  heartbeat: () => device.heartbeat(),
  restartApp: () => device.restart(),
  reinstallApp: () => device.restart({ reinstall: true }),
  screenshot,
  tap: (args) => recorder.tap(args),
  swipe: (args) => recorder.swipe(args),
  type: (text) => recorder.type(text),
  keypress: (args) => recorder.keypress(args),
};

const bank = new Bank(running, { param, issuer, bank: address, network: (value) => device.network(value) });
const link = new Link(JSON.parse(embedders), calls);
const told = [link]; // who hears the device's events
const device = new Device(build, { link: { emit: (...event) => told.forEach((each) => each.emit(...event)) }, screen: view, app: bank });
const recorder = new Recorder(screen, device, bank.bundle);
if (window.parent === window) told.push(new Window(device, recorder, screenshot));

play.addEventListener("click", () => void device.request());
for (const kind of ["pointerdown", "pointerup", "click", "keydown"]) { // where the page only wants to show
  addEventListener(kind, (event) => {
    if (device.live && device.config.userInteractionDisabled && event.isTrusted) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, { capture: true });
}
