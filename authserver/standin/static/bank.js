// The sample banking app. On launch it signs out whoever is in, takes what it was given, and calls the bank's API.

import { ask, element, pause } from "./parts.js";
import { Holder } from "./proof.js";

const POLL_SECONDS = 1;
const LINK = "appetize://impersonation/";
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/; // a JWT; anything else is a one-time code

export class Bank {
  bundle = "com.example.bank";
  #root;
  #param;
  #network;
  #prefs = {}; // launch parameters: they stay until the app is installed anew
  #data = { person: null, used: new Set() };
  #token = null; // in memory only, as an app should
  #scheme = "Bearer"; // or DPoP, for a token that is bound to the key
  #holder = new Holder();
  #issuer;
  #bank;
  #life = new AbortController();

  constructor(root, { param, issuer, bank, network }) {
    this.#issuer = issuer;
    this.#bank = bank;
    this.#root = root;
    this.#param = param;
    this.#network = network;
  }

  // A device comes with the app installed, and somebody signed in from before.
  install(params) {
    this.#prefs = params;
    this.#data = { person: "Dana", used: new Set() };
  }

  reinstall() { this.#data = { person: null, used: new Set() }; }

  launch(url) {
    const value = (url === undefined ? undefined : linked(url)) ?? this.#prefs[this.#param];
    void this.#start(value);
  }

  // Take a deep link while running; tell whether it was for this app.
  open(url) {
    const value = linked(url);
    if (value === undefined) return false;
    this.kill();
    void this.#start(value);
    return true;
  }

  kill() {
    this.#life.abort();
    this.#life = new AbortController();
    this.#token = null;
    this.#show();
  }

  async #start(value) {
    const { signal } = this.#life;
    const { person } = this.#data;
    if (person !== null) {
      this.#message(`Signed in as ${person}`, "(this device)");
      if (!(await pause(0.35, signal))) return;
      this.#data.person = null;
      this.#message(`Signing ${person} out …`);
      if (!(await pause(0.2, signal))) return;
    }
    if (typeof value === "string" && value) await this.#signIn(value, signal);
    else this.#message("Nobody is signed in", "The app was given nothing to sign in with.");
  }

  async #signIn(value, signal) {
    this.#message("Signing in …");
    const given = TOKEN.test(value);
    if (given) this.#scheme = "Bearer";
    const token = given ? value : await this.#redeem(value, signal);
    if (!token || signal.aborted) return;
    this.#token = token;
    const me = await this.#call("GET", "me", signal);
    const accounts = me.status === 200 ? await this.#call("GET", "accounts", signal) : me;
    if (signal.aborted) return;
    if (accounts.status !== 200) return this.#refused(accounts);
    this.#data.person = me.body.names.owner;
    this.#accounts(me.body, accounts.body.items);
    await this.#poll(signal);
  }

  // A code is for one time: it is never sent twice, for that would revoke what it gave.
  async #redeem(code, signal) {
    if (this.#data.used.has(code)) {
      this.#message("Nobody is signed in", "The one-time code was used already; hand over again.");
      return undefined;
    }
    this.#data.used.add(code);
    const proof = await this.#holder.proof("POST", `${this.#issuer}/appetize/redeem`);
    const { status, body } = await ask("POST", "/app/redeem", { proof, body: { code }, signal });
    if (status === 200 && typeof body.access_token === "string") {
      this.#scheme = body.token_type === "DPoP" ? "DPoP" : "Bearer"; // the server says whether it took the proof
      return body.access_token;
    }
    if (!signal.aborted) this.#message("Could not sign in", "The one-time code was refused.");
    return undefined;
  }

  async #poll(signal) {
    while (await pause(POLL_SECONDS, signal)) {
      const me = await this.#call("GET", "me", signal);
      if (signal.aborted) return;
      if (me.status === 401) return this.#signedOut();
    }
  }

  #signedOut() {
    this.#token = null;
    this.#data.person = null;
    this.#message("Signed out: the session was ended", "Nothing of the account is kept on this device.");
  }

  #refused({ status }) {
    if (status === 401) return this.#signedOut();
    this.#token = null;
    this.#message("Could not sign in", status === 503 ? "The bank does not answer." : "The bank refused.");
  }

  async #call(method, what, signal, body) {
    const [token, scheme, url] = [this.#token, this.#scheme, `${this.#bank}/${what}`];
    const proof = scheme === "DPoP" ? await this.#holder.proof(method, url, token) : undefined;
    const started = { requestId: crypto.randomUUID(), request: this.#request(method, url, { token, scheme, proof }) };
    this.#network({ type: "request", ...started });
    const answer = await ask(method, `/app/${what}`, { token, scheme, proof, body, signal });
    this.#network({ type: "response", ...started, response: { status: answer.status, headers: [] } });
    return answer;
  }

  // As an intercepting proxy sees it, with the header that nobody else should.
  #request(method, url, { token, scheme, proof }) {
    const headers = [{ name: "Authorization", value: `${scheme} ${token}` }];
    if (proof) headers.push({ name: "DPoP", value: proof });
    return { method, url, httpVersion: "HTTP/1.1", headers };
  }

  // --- what it shows

  #show(...content) { this.#root.replaceChildren(...content); }

  #message(title, more = "") {
    const words = more ? [element("p", { class: "quiet" }, more)] : [];
    this.#show(element("section", { class: "message", role: "status" }, element("h2", {}, title), ...words));
  }

  #accounts({ names, owner, seen_by: seenBy, read_only: readOnly }, items) {
    const said = element("p", { class: "said", role: "status", "data-id": "said" });
    const rows = items.map(({ id, name, balance, currency }) =>
      element("li", { "data-id": `account_${id}`, tabindex: "0" }, element("span", {}, name),
        element("strong", {}, `${balance} ${currency}`)));
    const name = element("input", { id: "name", "data-id": "nickname", maxlength: "40", autocomplete: "off" });
    const rename = () => this.#change(said, "PUT", "nickname", { nickname: name.value || "Everyday" });
    const transfer = () => this.#change(said, "POST", "transfers", { amount: "1.00" });
    this.#show(
      element("header", { class: "owner" }, element("h2", {}, names.owner), element("p", { class: "quiet" }, owner)),
      ...(seenBy === null ? [] : [this.#looking(names.seen_by, readOnly)]),
      element("ul", { class: "accounts", "aria-label": "Accounts" }, ...rows),
      element("div", { class: "change" }, element("label", { for: "name" }, "New name"), name,
        element("button", { type: "button", "data-id": "rename", click: rename }, "Rename account"),
        element("button", { type: "button", "data-id": "transfer", click: transfer }, "Transfer")),
      said,
      element("p", { class: "quiet" }, `isAppetize: ${String(this.#prefs.isAppetize)}`),
      element("p", { class: "quiet" }, this.#scheme === "DPoP" ? "Token: bound to this device's key" : "Token: bearer"),
    );
  }

  #looking(who, readOnly) {
    const tag = element("span", { class: "tag" }, readOnly ? "Read-only" : "May change");
    return element("p", { class: "looking" }, `${who} is looking at this account`, " ", tag);
  }

  async #change(said, method, what, body) {
    const { signal } = this.#life;
    const { status, body: answer } = await this.#call(method, what, signal, body);
    if (signal.aborted) return;
    if (status === 401) return this.#signedOut();
    const words = status < 300 ? "Done." : `The bank refused (${answer.error ?? status}). ${answer.detail ?? ""}`;
    said.textContent = words.trim();
  }
}

function linked(url) {
  if (!url.startsWith(LINK)) return undefined;
  try { return decodeURIComponent(url.slice(LINK.length)); } catch { return undefined; }
}
