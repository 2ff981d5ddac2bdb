// The device's end of the line: it takes a port from the page that embeds it, if that page's origin may, and nobody else.

const matches = (pattern, origin) =>
  pattern.endsWith(":*") ? new URL(origin).origin.replace(/:\d+$/, "") === pattern.slice(0, -2) : pattern === origin;

export class Link {
  #port;
  #calls;

  constructor(allowed, calls) {
    this.#calls = calls;
    if (window.parent === window) return;
    addEventListener("message", (message) => {
      const own = message.source === window.parent && allowed.some((pattern) => matches(pattern, message.origin));
      if (!own) return;
      if (message.data?.standin === "ask") window.parent.postMessage({ standin: "hello" }, message.origin);
      if (message.data?.standin === "connect" && message.ports.length === 1) this.#take(message.ports[0]);
    });
    window.parent.postMessage({ standin: "hello" }, "*"); // it tells nothing; who may answer is checked above
  }

  emit(event, value, to = "client") {
    this.#port?.postMessage({ to, event, value });
  }

  #take(port) {
    this.#port?.close();
    this.#port = port;
    port.onmessage = async ({ data: { id, call, value } }) => {
      try {
        if (!Object.hasOwn(this.#calls, call)) throw new Error("the device stand-in does not know this call");
        port.postMessage({ id, ok: true, value: await this.#calls[call](value) });
      } catch (error) {
        port.postMessage({ id, ok: false, error: error.message });
      }
    };
  }
}
