// Watches the page it is on, and puts in what has changed. Everything works without it, only by hand.
"use strict";

const SECOND = 1000;
let busy = false;

function inUse(part) {
  return part.querySelector("details[open]") !== null || part.querySelector("select:focus, input:focus") !== null;
}

function put(old, fresh) {
  const known = new Set([...old.querySelectorAll("[data-key]")].map((one) => one.outerHTML));
  const seen = document.importNode(fresh, true);
  for (const one of seen.querySelectorAll("[data-key]")) {
    if (!known.has(one.outerHTML)) one.classList.add("fresh");
  }
  old.replaceWith(seen);
}

const last = new Map([...document.querySelectorAll("[data-live]")].map((one) => [one.id, one.outerHTML]));

async function look() {
  if (busy) return;
  busy = true;
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (old === null || last.get(fresh.id) === fresh.outerHTML || inUse(old)) continue;
      last.set(fresh.id, fresh.outerHTML);
      put(old, fresh);
    }
  } catch {
    document.title = "The demo has ended";
  } finally {
    busy = false;
  }
}

document.addEventListener("submit", async (event) => {
  if (!event.target.classList.contains("act")) return;
  event.preventDefault();
  const form = event.target;
  form.closest("details")?.removeAttribute("open");
  form.querySelector("button").blur();
  await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  look();
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details[open]")) {
    if (!open.contains(event.target)) open.removeAttribute("open");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details[open]")) {
    open.removeAttribute("open");
    open.querySelector("summary").focus();
  }
});

setInterval(look, SECOND);
