/* Croupier's beacon: tells the server what visitors saw and did. No cookies, no dependencies.
 * An impression: half of an element (or of the window, where that is smaller) was in view for one whole
 * second. An outcome: a click, or whatever croupier.outcome() is told. Each event lies in localStorage
 * under a key of its own until the server has answered for it: no tab rewrites what another wrote, and a
 * closed page's events go with the next page. Sending twice is safe: of an impression the earliest report
 * counts, and an outcome has an id. */
(() => {
  "use strict";
  if (window.croupier && window.croupier.outcome) return;
  const SECOND = 1000, LINGER = 200, PATIENCE = 10000; // milliseconds, as are these:
  const FIRST_PAUSE = 1000, LONGEST_PAUSE = 60000, LONGEST_TOLD = 300000;
  const MOST_KEPT = 500, MOST_SENT = 100, LONGEST = 4000, ROOM = 21000; // events; characters: 64 KiB at most
  const AT_FAULT = [400, 413, 422]; // refusals that an event, or their number, can be the reason of
  const MARKED = "[data-croupier-token]", MARKS = ["token", "arm", "slot"].map((name) => `data-croupier-${name}`);
  const script = document.currentScript || document.querySelector('script[src*="/beacon.js"]');
  const here = script && script.src ? new URL(script.src).origin : location.origin;
  const server = ((script && script.dataset.croupierUrl) || here).replace(/\/+$/, "");
  const url = new URL(`${server}/v1/events`, document.baseURI).href, PREFIX = `croupier ${url} `;
  const counts = { queued: 0, accepted: 0, rejected: 0, dropped: 0, skipped: 0 };
  const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

  // --- the queue ------------------------------------------------------------------------------------
  const spare = new Map(); // where localStorage is full or forbidden
  const safely = (work, otherwise) => { try { return work(); } catch (_) { return otherwise; } };
  const stored = () => safely(() => Object.keys(localStorage), []).filter((key) => key.startsWith(PREFIX));
  const keys = () => stored().concat(Array.from(spare.keys())).sort(); // by time
  const read = (key) => safely(() => JSON.parse(spare.get(key) || localStorage.getItem(key)), null);
  const forget = (key) => spare.delete(key) || safely(() => localStorage.removeItem(key));

  function put(event) {
    const text = JSON.stringify(event), waiting = keys();
    const order = event.at * 1000 + (counts.queued % 1000); // some share a millisecond
    const key = `${PREFIX}${String(order).padStart(18, "0")} ${random()}`;
    counts.queued += 1;
    if (text.length > LONGEST) return refuse(event, `longer than ${LONGEST} characters`);
    const oldest = waiting.slice(0, Math.max(0, waiting.length + 1 - MOST_KEPT));
    counts.dropped += oldest.map(forget).length;
    if (safely(() => localStorage.setItem(key, text), "full") === "full") spare.set(key, text);
    return plan(LINGER);
  }

  /** The oldest events, as [key, event], without those that `but` holds. */
  function take(but) {
    let room = ROOM, batch = [];
    for (const key of keys().filter((each) => !but.has(each))) {
      const event = read(key);
      if (event && event.token && (room -= JSON.stringify(event).length) >= 0) batch.push([key, event]);
      else if (room >= 0 || !batch.length) forget(key); // not ours, or sent by another tab
      if (room < 0 || batch.length >= most) break;
    }
    return batch;
  }
  function refuse(event, reason) {
    if (!counts.rejected) console.warn("croupier: an event was rejected, others are only counted:", reason);
    counts.rejected += 1;
    document.dispatchEvent(new CustomEvent("croupier:rejected", { detail: { event, reason } }));
  }

  // --- on their way ---------------------------------------------------------------------------------
  let timer = 0, due = 0, told = 0, failures = 0, most = MOST_SENT, sending = false;
  let skew = 0; // how far the server's clock is ahead of ours
  const beaconed = new Set(), again = new Set();
  const body = (batch) => JSON.stringify(batch.map(([, one]) => Object.assign({}, one, { at: one.at + skew })));

  function plan(wait) {
    clearTimeout(timer);
    timer = setTimeout(send, Math.max(wait, due - performance.now()));
  }
  const wake = () => { due = told; plan(0); }; // now, unless the server said when

  /** One batch, by one tab at a time where the browser can tell; it only spares the server duplicates. */
  async function send() {
    if (sending) return;
    sending = true;
    const alone = () => navigator.locks.request(PREFIX, { ifAvailable: true }, (lock) => lock && post());
    const had = await (navigator.locks && !spare.size ? alone : post)().catch(() => fail(null));
    sending = false;
    if (keys().length) plan(had ? LINGER : SECOND * (1 + Math.random()));
  }
  async function post() {
    const batch = take(new Set()), over = new AbortController(), signal = over.signal;
    if (!batch.length) return false;
    const patience = setTimeout(() => over.abort(), PATIENCE), headers = { "content-type": "text/plain" };
    const request = { method: "POST", body: body(batch), headers, keepalive: true, credentials: "omit", signal };
    const answer = await fetch(url, request);
    settle(batch, answer, await answer.json().catch(() => null));
    clearTimeout(patience);
    return true;
  }

  function settle(batch, { ok, status, headers }, said) {
    const refused = AT_FAULT.includes(status) && said && typeof said.error === "string";
    if (ok && said && Number.isInteger(said.accepted)) {
      const reasons = new Map(said.rejected.map(({ index, reason }) => [index, reason]));
      const clock = moved(Date.parse(headers.get("date")));
      batch.forEach(([key, event], index) => {
        if (!reasons.has(index)) counts.accepted += 1;
        else if (clock && !again.has(key)) return again.add(key); // once more, by the right clock
        else refuse(event, reasons.get(index));
        return forget(key);
      });
      failures = due = told = 0;
      most = Math.min(MOST_SENT, 2 * most);
    } else if (refused && batch.length > 1) most = batch.length >> 1;
    else if (refused) batch.forEach(([key, event]) => { forget(key); refuse(event, said.error); });
    else fail(headers.get("retry-after"));
  }
  function fail(after) {
    const now = performance.now(), pause = Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE);
    const asked = 1000 * Number(after) || Date.parse(after) - Date.now() || 0;
    failures += 1;
    if (asked > 0) told = now + Math.min(asked, LONGEST_TOLD) * (1 + Math.random() / 4);
    due = Math.max(told, now + pause * (0.5 + Math.random() / 2));
  }

  /** Whether the server's clock turns out to be another than we thought. */
  function moved(date) {
    const before = skew, ahead = date + SECOND / 2 - Date.now();
    if (date) skew = Math.abs(ahead) > 2 * SECOND ? ahead : 0;
    return Math.abs(skew - before) > SECOND;
  }

  /** The page may end: a beacon is sent even then, but nobody hears the answer. */
  function part() {
    for (let batch = take(beaconed); batch.length && navigator.sendBeacon(url, body(batch)); batch = take(beaconed))
      batch.forEach(([key]) => beaconed.add(key));
  }

  // --- what visitors see and do ---------------------------------------------------------------------
  const seen = new Set(), inView = new Map(), sights = new WeakMap(); // inView: element → timer
  const half = new IntersectionObserver((entries) => look(entries, "half"), { threshold: 0.5 });
  const middle = new IntersectionObserver((entries) => look(entries, "middle"), { rootMargin: "-50% 0px" });
  const shown = (it) => !it.checkVisibility || it.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  function look(entries, what) {
    for (const { target, boundingClientRect: box, intersectionRatio, isIntersecting, rootBounds } of entries) {
      const sight = sights.get(target) || {}, tall = box.height > window.innerHeight;
      sight[what] = what === "half" ? intersectionRatio >= 0.5 : isIntersecting && Boolean(rootBounds);
      sights.set(target, sight); // what is tall fills half of the window when it crosses its middle
      const visible = box.height * box.width > 0 && Boolean(sight.half || (tall && sight.middle));
      if (visible !== inView.has(target)) (visible ? watch : lose)(target);
    }
  }

  /** Begin the second anew, unless nobody looks at the page. */
  function watch(element) {
    const hidden = document.visibilityState === "hidden", before = shown(element);
    clearTimeout(inView.get(element));
    const over = () => (before && shown(element) ? see : watch)(element);
    inView.set(element, hidden ? 0 : setTimeout(over, SECOND));
  }
  const lose = (element) => { clearTimeout(inView.get(element)); inView.delete(element); };
  function see(element) {
    const { croupierToken: token, croupierArm: arm, croupierSlot: slot } = element.dataset;
    const place = [token, slot, arm].join(" ");
    lose(element);
    if (!seen.has(place)) report("impression", token, { arm });
    seen.add(place);
  }
  function report(kind, token, more) {
    if (!token) counts.skipped += 1; // a default, or nothing of ours
    else put(Object.assign({ kind, token, at: Date.now(), id: random() }, more));
  }

  /** Something came of what an element showed, or of what a token stands for. */
  function outcome(where, kind, { arm, value, id = random() } = {}) {
    const marked = where instanceof Element ? where.closest(MARKED) : null, marks = marked ? marked.dataset : {};
    report(kind, typeof where === "string" ? where : marks.croupierToken, { arm: arm || marks.croupierArm, value, id });
  }
  function click({ target, button }) {
    const element = target instanceof Element && target.closest(MARKED);
    if (!element || button > 1) return;
    const named = target.closest("[data-croupier-click]"), own = named && element.contains(named);
    see(element); // who clicks within the second has seen it, too
    outcome(element, (own && named.dataset.croupierClick) || "click");
  }

  /** Observe anew, so that the observers tell at once, also of a token that has changed. */
  function find(node) {
    if (!(node instanceof Element)) return;
    for (const element of [node, ...node.querySelectorAll(MARKED)].filter((each) => each.matches(MARKED))) {
      lose(element);
      [half, middle].forEach((observer) => { observer.unobserve(element); observer.observe(element); });
    }
  }

  window.croupier = Object.freeze({ outcome, flush: wake, stats: () => Object.assign({ waiting: keys().length }, counts) });
  ["click", "auxclick"].forEach((what) => document.addEventListener(what, click, true));
  document.addEventListener("visibilitychange", () => {
    Array.from(inView.keys()).forEach(watch);
    (document.visibilityState === "hidden" ? part : wake)();
  });
  window.addEventListener("pagehide", part);
  ["pageshow", "online"].forEach((what) => window.addEventListener(what, wake));
  find(document.documentElement);
  const changed = ({ type, target, addedNodes }) => (type === "attributes" ? [target] : addedNodes).forEach(find);
  const mutations = new MutationObserver((changes) => changes.forEach(changed));
  mutations.observe(document, { subtree: true, childList: true, attributeFilter: MARKS });
  plan(LINGER);
})();
