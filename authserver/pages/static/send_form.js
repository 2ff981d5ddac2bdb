// Sends a form at once; without scripts its button does.
for (const form of document.querySelectorAll("form[data-send-at-once]")) {
  form.requestSubmit();
}
