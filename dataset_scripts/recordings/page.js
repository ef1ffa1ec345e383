"use strict";
const rows = JSON.parse(document.getElementById("data").textContent);
const [player, timeline, now, body] = ["player", "timeline", "now", "rows"].map((id) => document.getElementById(id));
const [words, intent, speaker, count] = ["words", "intent", "speaker", "count"].map((id) => document.getElementById(id));
const FAILED = "not recognised";
const OUTSIDE = "out of scope";

const clock = (seconds) => {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
};
const named = (row) => (row.error ? FAILED : row.out_of_scope ? OUTSIDE : row.label);
const times = new Map();
for (const row of rows) times.set(named(row), (times.get(named(row)) || 0) + 1);
const intents = [...times.keys()].sort((a, b) => times.get(b) - times.get(a) || a.localeCompare(b));
const known = intents.filter((name) => name !== FAILED && name !== OUTSIDE);
// The golden angle keeps the hues of frequent intents far apart.
const colour = (name) =>
  known.includes(name) ? `hsl(${(known.indexOf(name) * 137.5 + 210) % 360} 62% 52%)` : "hsl(220 8% 55%)";
const speakers = [...new Set(rows.map((row) => row.speaker || ""))];
const length = () => Math.max(Number.isFinite(player.duration) ? player.duration : 0, ...rows.map((row) => row.end), 1);

const option = (list, name) => {
  const item = document.createElement("option");
  item.value = item.textContent = name;
  list.append(item);
};
intents.forEach((name) => option(intent, name));
speakers.filter(Boolean).sort().forEach((name) => option(speaker, name));
speaker.parentElement.hidden = !speakers.some(Boolean);

const seek = (row) => {
  player.currentTime = row.start;
  player.play().catch(() => {}); // a browser may refuse to play, and stands at the place all the same
};
const cell = (line, text, kind) => {
  const item = document.createElement("td");
  item.textContent = text;
  if (kind) item.className = kind;
  line.append(item);
  return item;
};
const lines = rows.map((row) => {
  const line = document.createElement("tr");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = `${clock(row.start)} – ${clock(row.end)}`;
  button.setAttribute("aria-label", `Play from ${clock(row.start)} to ${clock(row.end)}`);
  cell(line, "").append(button);
  cell(line, row.speaker || "", "faint");
  cell(line, row.text);
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = colour(named(row));
  const shown = cell(line, row.error ? `${FAILED}: ${row.error}` : named(row) + (row.out_of_scope ? ` (${row.label})` : ""));
  shown.prepend(swatch);
  cell(line, row.error ? "" : `${Math.round(100 * row.score)} %`);
  line.addEventListener("click", () => seek(row));
  body.append(line);
  return line;
});
body.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const seen = lines.filter((line) => !line.hidden);
  const place = seen.findIndex((line) => line.contains(document.activeElement));
  const next = step && seen[place + step];
  if (next) {
    event.preventDefault();
    next.querySelector("button").focus();
  }
});

const LANE = 22;
const bars = rows.map((row) => {
  const bar = document.createElement("i");
  bar.style.background = colour(named(row));
  bar.style.top = `${speakers.indexOf(row.speaker || "") * LANE + 3}px`;
  bar.style.height = `${LANE - 6}px`;
  bar.title = `${clock(row.start)} ${named(row)}: ${row.text}`;
  bar.addEventListener("click", () => seek(row));
  timeline.append(bar);
  return bar;
});
timeline.style.height = `${Math.max(1, speakers.length) * LANE}px`;
const needle = document.createElement("b");
timeline.append(needle);
const place = () => {
  const whole = length();
  rows.forEach((row, index) => {
    bars[index].style.left = `${(100 * row.start) / whole}%`;
    bars[index].style.width = `${(100 * (row.end - row.start)) / whole}%`;
  });
  follow();
};
const follow = () => {
  needle.style.left = `${(100 * player.currentTime) / length()}%`;
  const current = rows.findLastIndex((row) => row.start <= player.currentTime + 0.01 && player.currentTime < row.end);
  lines.forEach((line, index) => line.classList.toggle("playing", index === current));
  now.textContent = current < 0 ? "" : `${named(rows[current])}: ${rows[current].text}`;
};
const filter = () => {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let seen = 0;
  rows.forEach((row, index) => {
    const text = [row.text, row.speaker, named(row), row.label].join(" ").toLowerCase();
    const fits =
      wanted.every((word) => text.includes(word)) &&
      (!intent.value || intent.value === named(row)) &&
      (!speaker.value || speaker.value === row.speaker);
    lines[index].hidden = !fits;
    bars[index].classList.toggle("off", !fits);
    seen += fits;
  });
  count.textContent = `${seen} of ${rows.length} utterances`;
};
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
[words, intent, speaker].forEach((input) => input.addEventListener("input", filter));
player.addEventListener("timeupdate", follow);
player.addEventListener("seeked", follow);
player.addEventListener("loadedmetadata", place);
const broken = () => { document.getElementById("unplayable").hidden = false; };
player.addEventListener("error", broken);
if (player.error) broken();
place();
filter();
