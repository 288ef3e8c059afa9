// The heat map of a report: choose a forecast or a slice, click or press Enter on a token to see its probabilities.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);
  const list = find("prompts"), panel = find("panel"), body = find("panel-body"), count = find("heat-count");
  const choice = find("heat-forecast"), slices = find("heat-slice"), more = find("heat-more");
  const PAGE = 25, SMALLEST = 1e-4, CONTEXT = 90, MARGIN = 12;
  const articles = [...list.querySelectorAll("article")];
  const tokens = [...list.querySelectorAll(".t")];
  const promptOf = data.prompts.flatMap((prompt, number) => Array(prompt[2]).fill(number));
  let limit = PAGE, current = null;

  const plain = (x) => {
    if (x === 0) return "0";
    if (Math.abs(x) < SMALLEST) return x.toExponential(1).replace(".0e", "e");
    const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x))));
    const text = x.toFixed(places);
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  };
  const range = (x) => (Array.isArray(x) ? `${plain(x[0])} to ${plain(x[1])}` : plain(x));
  const high = (x) => (Array.isArray(x) ? x[1] : x);
  const share = (x) => (x === null ? "unknown" : x === 0 ? "0%" : x === 100 ? ">99.9%" : x < 0.01 ? "<0.01%" : `${plain(x)}%`);
  const step = (loss) => data.steps.filter((bound) => loss >= bound).length;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // Signs that stand for blanks are drawn fainter than letters.
  const visible = (text, className) => {
    const made = element("span", className);
    for (const part of text.split(/([␣↵⇥␍]|⟨[^⟩]*⟩)/)) {
      if (part) made.append(/^[␣↵⇥␍⟨]/.test(part) ? element("i", "sign", part) : part);
    }
    return made;
  };

  function recolour() {
    const f = choice.selectedIndex;
    for (const token of tokens) {
      const loss = data.losses[f][token.dataset.s];
      token.className = `t h${step(high(loss))}${token.classList.contains("end") ? " end" : ""}`;
      token.dataset.l = plain(high(loss));
      token.setAttribute("aria-label", `${token.textContent.trim() || "next"}: ${range(loss)}${data.unit} off`);
      token.title = `${range(loss)}${data.unit}`;
    }
    articles.sort((a, b) => high(data.means[f][b.dataset.p]) - high(data.means[f][a.dataset.p]));
    for (const article of articles) {
      article.querySelector(".mean").textContent = range(data.means[f][article.dataset.p]);
      list.append(article);
    }
    filter();
    if (current) show(current, false);
  }

  function filter() {
    let shown = 0, fit = 0;
    for (const article of articles) {
      const fits = slices.selectedIndex === 0 || data.prompts[article.dataset.p][1] === slices.value;
      if (fits) fit += 1;
      article.hidden = !fits || fit > limit;
      if (!article.hidden) shown += 1;
    }
    count.textContent = `${shown} of ${fit} prompts shown, worst first`;
    more.hidden = shown === fit;
  }

  function top(f, slot) {
    if (!data.tops[f][slot]) return null;
    const [shared, ids, truth, forecast, truthRest, forecastRest] = data.tops[f][slot];
    const [commonIds, commonTruth] = data.common[slot];
    const rows = commonIds.slice(0, shared).concat(ids).map((piece, i) => ({
      piece,
      truth: i < shared ? commonTruth[i] : truth[i - shared],
      forecast: forecast[i],
    }));
    return { rows, truthRest, forecastRest };
  }

  function bars(label, truth, forecast, longest, isNext) {
    const row = element("tr", isNext ? "next" : "");
    const head = element("th");
    head.scope = "row";
    head.append(label);
    row.append(head);
    for (const [who, value] of [["truth", truth], ["forecast", forecast]]) {
      const cell = element("td");
      if (longest) {
        const bar = element("span", `bar ${who}`), track = element("span", "track");
        if (value !== null) {
          bar.style.width = `${100 * value / longest}%`;
          track.append(bar);
        }
        cell.append(track);
      }
      cell.append(element("span", "share", share(value)));
      row.append(cell);
    }
    return row;
  }

  function table(f, slot, after) {
    const found = top(f, slot);
    if (!found) return [element("p", "where", "This page holds the tokens of this forecast\u2019s worst prompts only.")];
    const longest = Math.max(...found.rows.flatMap((row) => [row.truth ?? 0, row.forecast]));
    const made = element("table", "bars"), head = element("tr");
    for (const text of ["token", "truth", "forecast"]) {
      const cell = element("th", "", text);
      cell.scope = "col";
      head.append(cell);
    }
    made.append(head);
    for (const row of found.rows) {
      made.append(bars(visible(data.pieces[row.piece], "piece"), row.truth, row.forecast, longest, row.piece === after));
    }
    made.append(bars(element("em", "", "all others"), found.truthRest, found.forecastRest, null, false));
    return [made, element("p", "where", `The longest bar is ${share(longest)}; all others have no bar.`)];
  }

  function show(token, focus) {
    const slot = Number(token.dataset.s), f = choice.selectedIndex;
    const after = data.after[slot], entropy = data.entropies[slot];
    if (current) current.removeAttribute("aria-pressed");
    current = token;
    token.setAttribute("aria-pressed", "true");
    const context = element("p", "context", "…" + before(token).slice(-CONTEXT));
    context.append(element("mark", "", "▮"));
    const facts = element("p", "facts");
    facts.append(element("b", "", `${range(data.losses[f][slot])}${data.unit}`), " off");
    if (entropy !== null) facts.append(`; entropy of the truth ${plain(entropy)} nats`);
    const next = element("p", "facts", after < 0 ? "The prompt ends here." : "In the prompt, ");
    if (after >= 0) next.append(visible(data.pieces[after], "piece"), " comes next.");
    const where = `${data.prompts[promptOf[slot]][0]}, position ${data.positions[slot]}, forecast ${data.names[f]}`;
    body.replaceChildren(element("p", "where", where), context, facts, next, ...table(f, slot, after));
    panel.classList.add("open");
    uncover(token);
    if (focus) panel.focus({ preventScroll: true });
  }

  // On a phone the panel lies over the lower part of the page: keep the token above it.
  function uncover(token) {
    const below = token.getBoundingClientRect().bottom - panel.getBoundingClientRect().top + MARGIN;
    if (getComputedStyle(panel).position === "fixed" && below > 0) scrollBy(0, below);
  }

  function before(token) {
    const range = document.createRange();
    range.setStart(token.parentNode, 0);
    range.setEndBefore(token);
    return range.toString();
  }

  function close() {
    panel.classList.remove("open");
    if (current) {
      current.removeAttribute("aria-pressed");
      current.focus();
      current = null;
    }
    body.replaceChildren(element("p", "facts", "Click a coloured token, or press Enter on it."));
  }

  function keys(event) {
    const token = event.target.closest(".t");
    if (!token) return;
    const row = [...token.parentNode.querySelectorAll(".t")], at = row.indexOf(token);
    const to = { ArrowRight: row[at + 1], ArrowLeft: row[at - 1], Home: row[0], End: row[row.length - 1] }[event.key];
    if (to) {
      token.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    } else if (event.key === "Enter" || event.key === " ") show(token, true);
    else return;
    event.preventDefault();
  }

  for (const article of articles) {
    article.querySelectorAll(".t").forEach((token, i) => {
      token.setAttribute("role", "button");
      token.tabIndex = i === 0 ? 0 : -1;
    });
  }
  list.addEventListener("click", (event) => {
    const token = event.target.closest(".t");
    if (token) show(token, false);
  });
  list.addEventListener("keydown", keys);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel.classList.contains("open")) close();
  });
  find("panel-close").addEventListener("click", close);
  choice.addEventListener("change", recolour);
  slices.addEventListener("change", () => { limit = PAGE; filter(); });
  more.addEventListener("click", () => { limit += PAGE; filter(); });
  find("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = getComputedStyle(root).colorScheme === "dark"
      || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
  });
  document.documentElement.classList.add("script");
  recolour();
})();
