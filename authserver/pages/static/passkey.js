// Passkeys: asks the server for options, the browser for a credential, and the server again. Nothing is kept.
const form = document.querySelector("[data-passkey]");

const WORDS = {
  NotAllowedError: "No passkey was used: it was cancelled, or this device has none for here.",
  InvalidStateError: "This device has a passkey for your account already.",
  NotSupportedError: "This device cannot make a passkey.",
};

async function call(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "X-CSRF-Token": form.dataset.csrf, "Content-Type": "application/json" },
    body: body === undefined ? "" : JSON.stringify(body),
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  if (answer.error === "insufficient_user_authentication" && form.dataset.again) {
    window.location.assign(form.dataset.again);
    return new Promise(() => {});
  }
  if (!response.ok) throw new Error(answer.detail ?? "That did not work. Try again.");
  return answer;
}

async function run() {
  const options = await call(form.dataset.options, { return_to: form.dataset.returnTo });
  if (form.dataset.passkey === "create") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const credential = await navigator.credentials.create({ publicKey });
    return call(form.dataset.answer, credential.toJSON());
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey });
  return call(form.dataset.answer, credential.toJSON());
}

if (form && window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  form.classList.add("ready");
  form.querySelector("button").addEventListener("click", async (event) => {
    const button = event.currentTarget;
    const status = form.querySelector("[role=status]");
    button.disabled = true;
    status.textContent = "";
    try {
      const { location } = await run();
      window.location.assign(location);
    } catch (error) {
      status.textContent = WORDS[error.name] ?? error.message;
      button.disabled = false;
      button.focus();
    }
  });
} else if (form) {
  form.hidden = true;
}
