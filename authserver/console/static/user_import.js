// Looks at a CSV file of any length, then has it taken: cut between its rows into pieces that the console reads.
const MAX_FILE = 20_000_000;
const MAX_PIECE = 24_000;
const MAX_PIECE_ROWS = 100;
const MAX_SHOWN = 500;
const form = document.querySelector("#import");
const whole = document.querySelector("#whole");
const part = (id) => document.getElementById(id);
const error = part("error");
const kept = { pieces: [], first: "", bad: [], badLine: "", running: false };

class Unreadable extends Error {}

// The records of RFC 4180, as text: a line's end within quotes is none.
function records(text) {
  const found = [];
  let start = 0;
  let quoted = false;
  let fresh = true;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === '"' && text[at + 1] === '"') at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"' && fresh) {
      quoted = true;
      fresh = false;
    } else if (char === "\n" || char === "\r") {
      if (char === "\r" && text[at + 1] === "\n") at += 1;
      found.push(text.slice(start, at + 1));
      start = at + 1;
      fresh = true;
    } else fresh = char === ",";
  }
  if (quoted) throw new Unreadable("A quotation mark is not closed. From there on the file cannot be read.");
  if (start < text.length) found.push(text.slice(start));
  return found;
}

const size = (text) => new TextEncoder().encode(text).length;

function pieces(rows) {
  const found = [];
  let piece = { text: "", rows: 0, bytes: 0 };
  for (const [index, row] of rows.entries()) {
    const bytes = size(row);
    if (bytes > MAX_PIECE) throw new Unreadable(`Row ${index + 2} is too long.`);
    if (piece.rows && (piece.rows >= MAX_PIECE_ROWS || piece.bytes + bytes > MAX_PIECE)) {
      found.push(piece);
      piece = { text: "", rows: 0, bytes: 0 };
    }
    piece.text += row;
    piece.rows += 1;
    piece.bytes += bytes;
  }
  if (piece.rows) found.push(piece);
  return found;
}

async function read(file) {
  if (file.size > MAX_FILE) throw new Unreadable("The file is larger than 20 MB. Part it, and bring one after the other.");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Unreadable("The file is not in UTF-8. Save it as “CSV UTF-8”.");
  }
  const [first, ...rows] = records(text);
  if (!rows.length) throw new Unreadable("The file has no rows. Its first line names the columns, and each one after it is a person.");
  if (size(first) > 2000) throw new Unreadable("The first line is too long. It names the columns.");
  return { first: /[\r\n]$/.test(first) ? first : `${first}\r\n`, pieces: pieces(rows) };
}

async function send(piece, row, what) {
  const body = new FormData();
  body.set("csrf", form.elements.csrf.value);
  body.set("do", what);
  body.set("first_row", row);
  body.set("text", kept.first + piece.text);
  let answer;
  try {
    answer = await fetch(form.dataset.rows, { method: "POST", body, signal: AbortSignal.timeout(60000) });
  } catch {
    throw new Unreadable("The connection was lost. What was taken stays; try again, and the rest is taken.");
  }
  if (answer.status === 401) throw new Unreadable("You are signed out. Sign in in another tab, then try again: what was taken stays.");
  const told = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : null;
  if (!answer.ok || !told) throw new Unreadable(told?.problem ?? "The server did not take this. Load this page again, then try again: what was taken stays.");
  return told;
}

function put(body, html, most) {
  const fresh = new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html");
  for (const row of fresh.querySelectorAll("tr")) if (body.rows.length < most) body.append(row);
}

function working(words, done, all) {
  part("working").hidden = false;
  if (part("working-words").textContent !== words) part("working-words").textContent = words;
  part("progress").value = all ? done / all : 0;
  part("working-count").textContent = `${done.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
}

async function run(what) {
  const all = kept.pieces.reduce((sum, piece) => sum + piece.rows, 0);
  const counts = { create: 0, change: 0, unchanged: 0, error: 0 };
  const names = new Map();
  const [bad, good] = [part("bad"), part("good")].map((place) => place.querySelector("tbody"));
  const rows = { bad: document.createElement("tbody"), good: document.createElement("tbody") };
  const badText = [];
  let row = 2;
  let done = 0;
  let badRows = 0;
  const words = what === "import" ? "Importing" : "Looking at the file";
  working(words, 0, all);
  for (const piece of kept.pieces) {
    const told = await send(piece, row, what);
    for (const [name, number] of told.names) {
      if (what === "look" && names.get(name) < row) throw new Unreadable(`Rows ${names.get(name)} and ${number} have the same user name, ${name}. Each person has one row.`);
      names.set(name, number);
    }
    for (const [name, count] of Object.entries(told.counts)) counts[name] += count;
    put(rows.bad, told.bad_rows, MAX_SHOWN);
    put(rows.good, told.good_rows, 10);
    badText.push(told.bad);
    badRows += told.counts.error;
    kept.badLine = told.bad_line;
    row = told.next_row;
    done += piece.rows;
    working(words, done, all);
  }
  kept.bad = badText;
  bad.replaceWith(rows.bad);
  good.replaceWith(rows.good);
  show(what, counts, badRows);
}

function show(what, counts, badRows) {
  const imported = what === "import";
  part("working").hidden = true;
  part("result").hidden = false;
  part("result-title").textContent = imported ? "This was imported" : "This would be imported";
  for (const place of document.querySelectorAll("[data-count]")) place.textContent = counts[place.dataset.count].toLocaleString("en");
  document.querySelector('[data-count="error"]').parentElement.classList.toggle("bad", badRows > 0);
  const shown = part("bad").querySelectorAll("tbody tr").length;
  part("bad").hidden = !badRows;
  part("bad-more").hidden = shown < MAX_SHOWN;
  part("bad-more").textContent = "There are more: all of them are in the file of bad rows.";
  part("good").hidden = !part("good").querySelector("tbody tr");
  part("fetch-bad").hidden = !badRows;
  part("take").hidden = imported || !(counts.create + counts.change);
  part("see").hidden = !imported;
  part("result-title").focus();
}

async function work(what) {
  if (kept.running) return;
  kept.running = true;
  error.hidden = true;
  for (const button of document.querySelectorAll("#import button, #whole button")) button.disabled = true;
  try {
    if (what === "look") {
      part("result").hidden = true;
      Object.assign(kept, await read(form.elements.file.files[0]));
    }
    await run(what);
  } catch (problem) {
    part("working").hidden = true;
    error.textContent = problem instanceof Unreadable ? problem.message : "This did not work. Load this page again.";
    error.hidden = false;
    error.focus();
    if (!(problem instanceof Unreadable)) throw problem;
  } finally {
    kept.running = false;
    for (const button of document.querySelectorAll("#import button, #whole button")) button.disabled = false;
  }
}

function fetchBad() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", kept.badLine, ...kept.bad], { type: "text/csv" }));
  link.download = "bad-rows.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  event.stopPropagation();
  work("look");
});
whole.addEventListener("submit", (event) => {
  if (!kept.pieces.length) return; // the page of a browser that had no scripts until now
  event.preventDefault();
  event.stopPropagation();
  if (event.submitter?.value === "bad") fetchBad();
  else work("import");
});
form.elements.file.addEventListener("change", () => {
  kept.pieces = [];
  error.hidden = true;
  part("result").hidden = true;
});
addEventListener("beforeunload", (event) => {
  if (kept.running) event.preventDefault();
});
