// The embed page's calls: by POST with JSON to the page's own address; the cookie that goes along is this handoff's.

/**
 * @param {string} name
 * @param {object} body
 * @param {RequestInit} more
 * @returns {Promise<{status: number, body: any}>}
 */
export async function call(name, body = {}, more = {}) {
  try {
    const answer = await fetch(`${location.pathname}/${name}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      signal: more.keepalive ? undefined : AbortSignal.timeout(10000), ...more,
    });
    return { status: answer.status, body: await answer.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}
