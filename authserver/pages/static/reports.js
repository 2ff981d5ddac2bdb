// What the device did, in batches; a batch that did not arrive is sent again, and an id counts once.
import { call } from "./page_calls.js";

/** @typedef {import("./handoff.js").DeviceEvent} DeviceEvent */

const BATCH = 100;
const KEPT = 5000; // of a page that is long without its server

export class Reports {
  /** @type {Array<DeviceEvent & {id: string}>} */
  #events = [];
  /** @type {Map<string, {stage: string, at: string, sent: boolean}>} */
  #stages = new Map();
  #number = 0;
  #sending = false;
  #prefix = Date.now().toString(36);

  /** @param {DeviceEvent} event */
  add(event) {
    if (this.#events.length < KEPT) this.#events.push({ id: `${this.#prefix}-${this.#number++}`, ...event });
  }

  /**
   * The first time counts.
   * @param {string} stage
   */
  stage(stage) {
    if (!this.#stages.has(stage)) this.#stages.set(stage, { stage, at: new Date().toISOString(), sent: false });
  }

  /** @param {RequestInit} more */
  async send(more = {}) {
    const events = this.#events.slice(0, BATCH);
    const stages = [...this.#stages.values()].filter((each) => !each.sent);
    if ((this.#sending && !more.keepalive) || (!events.length && !stages.length)) return;
    this.#sending = true;
    const body = { stages: stages.map(({ stage, at }) => ({ stage, at })), events };
    const { status } = await call("events", body, more);
    this.#sending = false;
    if (status === 0 || status >= 500 || status === 429) return;
    for (const stage of stages) stage.sent = true;
    this.#events = this.#events.filter((each) => !events.includes(each));
  }
}
