// What the modules share: elements without markup, pauses that can be cut short, questions to the own server.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value); else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Resolve to whether nothing cut it short.
export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const settle = (whole) => { clearTimeout(timer); resolve(whole); };
    const timer = setTimeout(settle, seconds * 1000, true);
    if (signal?.aborted) settle(false);
    signal?.addEventListener("abort", () => settle(false), { once: true });
  });
}

// Ask the server that this page came from; 503 stands for no answer at all.
export async function ask(method, path, { token, scheme = "Bearer", proof, body, signal } = {}) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `${scheme} ${token}` }), ...(proof && { DPoP: proof }) };
  const content = method === "GET" ? undefined : JSON.stringify(body ?? {});
  try {
    const answer = await fetch(path, { method, headers, body: content, signal, cache: "no-store" });
    return { status: answer.status, body: await answer.json() };
  } catch {
    return { status: 503, body: { error: "unreachable" } };
  }
}
