// The vendor's client library drives the stand-in as it drives Appetize. What it says of it is the vendor's code, not ours.
import { test, expect } from "@appetize/playwright";

const value = process.env.VALUE;
test.use({ config: { buildId: "demo-bank-standin", platform: process.env.PLATFORM, debug: true, params: { impersonatedUserToken: value } } });

const named = (id) =>
  process.env.PLATFORM === "ios" ? { attributes: { accessibilityIdentifier: id } } : { attributes: { "resource-id": `com.example.bank:id/${id}` } };

test("it starts a session, finds what the app shows, and taps, types and swipes", async ({ session, client }) => {
  expect(client.app.buildId).toBe("demo-bank-standin");
  expect(client.device.screen.width).toBeGreaterThan(300);
  expect(session.config.record).toBe(true);
  const [rename] = await session.waitForElement(named("rename"));
  expect(rename.attributes.text).toBe("Rename account");
  expect(rename.bounds.x + rename.bounds.width).toBeLessThan(client.device.screen.width);
  const actions = [];
  session.on("action", (action) => actions.push(action));
  await session.tap({ element: named("nickname") });
  await session.type("Mine");
  await session.tap({ element: named("rename") });
  await session.tap({ coordinates: { x: rename.bounds.x + 5, y: rename.bounds.y + 5 } });
  await session.swipe({ position: { x: 0.5, y: 0.5 }, gesture: "up" });
  await expect.poll(() => actions.filter(({ type }) => type === "tap").length).toBeGreaterThanOrEqual(3);
  const tap = actions.find(({ type }) => type === "tap");
  expect(tap.coordinates.x).toBeLessThan(client.device.screen.width);
  expect(tap.position.y).toBeLessThanOrEqual(1);
  expect(actions.filter(({ type }) => type === "keypress").map(({ key }) => key).join("")).toBe("Mine");
  await expect(session).toHaveElement({ attributes: { text: "Mine" } });
  await expect(session.tap({ element: named("nowhere") }, { timeout: 500 })).rejects.toThrow(/No element|not found/i);
  const ui = await session.getUI();
  expect(ui[0].children.length).toBeGreaterThan(3);
});

test("it restarts the app, opens links, takes pictures and keeps the session", async ({ session }) => {
  await session.waitForElement(named("rename"));
  await session.restartApp();
  await session.waitForElement(named("rename"));
  await session.reinstallApp();
  await session.waitForElement(named("rename"));
  const opened = await session.openUrl(`appetize://impersonation/${value}`);
  expect(opened).toMatchObject({ success: true, type: "deeplink" });
  await session.waitForElement(named("rename"));
  await session.heartbeat();
  await session.waitForAnimations();
  const { data, mimeType } = await session.screenshot();
  expect([mimeType, data.subarray(1, 4).toString()]).toEqual(["image/png", "PNG"]);
});

test("it ends and starts sessions, and hears a queue and failures", async ({ session, client, request }) => {
  const order = (data) => request.post("/control", { data });
  const [ended] = await Promise.all([session.waitForEvent("end").then(() => true), session.end()]);
  expect(ended).toBe(true);
  await order({ next: "queue", positions: 2, seconds: 0.2, type: "concurrent", name: "standard" });
  const queue = [];
  client.on("queue", (place) => queue.push(place));
  client.on("queueEnd", () => queue.push("over"));
  await client.startSession();
  expect(queue).toEqual([{ type: "concurrent", name: "standard", position: 2 }, { type: "concurrent", name: "standard", position: 1 }, "over"]);
  await client.endSession();
  for (const [next, words] of [["error", /No device can be had/], ["sessionError", /did not become ready/]]) {
    await order({ next });
    await expect(client.startSession()).rejects.toThrow(words);
  }
  await order({ inactivity_seconds: 4 });
  const again = await client.startSession();
  const warning = await again.waitForEvent("inactivityWarning");
  expect(warning.secondsRemaining).toBeGreaterThan(0);
  await again.end();
  await order({ inactivity_seconds: 120 });
});
