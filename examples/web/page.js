// In your product the two values come from your backend, which asked for the handoff; put the issuer's address into the import.
const form = document.querySelector("#start");
const [status, again, end] = ["status", "again", "end"].map((id) => document.getElementById(id));

function show(state) {
  const more = state.position ?? state.secondsRemaining ?? state.why ?? "";
  status.textContent = `Device: ${state.name} ${more}`;
  again.hidden = state.name !== "failed";
  end.hidden = ["failed", "ended"].includes(state.name);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { configUrl, configSecret, sdkUrl } = Object.fromEntries(new FormData(form));
  form.reset();
  try {
    const { handoff } = await import(`${new URL(configUrl).origin}/appetize/handoff.js`);
    const device = await handoff({ element: "#device", configUrl, configSecret, sdkUrl: sdkUrl || undefined, onState: show });
    again.onclick = () => device.start();
    end.onclick = () => device.end();
  } catch (error) {
    status.textContent = `No device: ${error.message}`;
  }
});
