// Shows a password while its owner looks, and never sends it so: on its way out it is a password again.
for (const button of document.querySelectorAll("[data-reveals]")) {
  const input = document.getElementById(button.dataset.reveals);
  const verb = button.querySelector("[data-verb]");

  const show = (shown) => {
    input.type = shown ? "text" : "password";
    verb.textContent = shown ? "Hide" : "Show";
  };
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false));
  button.classList.add("ready");
}
