#include "report/page.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/hex.h"
#include "report/html.h"

namespace iat {
namespace {

constexpr absl::string_view kStyle = R"css(
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1a1a1a; --soft: #5a5a5a; --rule: #d0d0d0; --wash: #f4f4f4;
  --alert: #8a2c00; --alert-wash: #fdeee6;
  --focus: #0072b2; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181b; --ink: #e8e8e8; --soft: #b0b3b8; --rule: #44484e; --wash: #202328;
  --alert: #ffb48a; --alert-wash: #3a2317;
  --focus: #56b4e9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica,
  Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, li { max-width: 46rem; }
.subtitle, figcaption, .note { color: var(--soft); font-size: .92rem; }
.alert { background: var(--alert-wash); color: var(--alert); border-left: 4px solid;
  padding: .6rem .9rem; margin: 1rem 0; }
.alert p { margin: .2rem 0; }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--focus);
  outline-offset: 2px; }
figure { margin: 0; }
.sheet { background: #ffffff; padding: .5rem; border: 1px solid var(--rule); }
.sheet svg { display: block; width: 100%; min-width: 36rem; height: auto; }
.sheet svg g { font-family: Helvetica, Arial, sans-serif; }
figcaption { margin-top: .6rem; max-width: 52rem; }
table { border-collapse: collapse; margin: .3rem 0 1rem; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); white-space: nowrap; }
tbody th { white-space: normal; min-width: 6rem; max-width: 22rem; }
thead th { white-space: normal; min-width: 7rem; vertical-align: bottom; }
td .interval { display: block; color: var(--soft); font-size: .85em; }
td.text { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
pre { background: var(--wash); padding: .8rem; margin: 0; font-size: .85rem; line-height: 1.4; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; font-size: .9rem;
  margin: .3rem 0; }
.filter input { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--soft); border-radius: .25rem; padding: .2rem .5rem;
  min-width: 0; width: 16rem; max-width: 100%; }
th button { all: unset; cursor: pointer; font-weight: inherit; }
th button::after { content: "\2195"; color: var(--soft); margin-left: .3em; }
th[aria-sort=ascending] button::after { content: "\2191"; color: inherit; }
th[aria-sort=descending] button::after { content: "\2193"; color: inherit; }
th button:focus-visible, .enlarge:focus-visible, .filter input:focus-visible {
  outline: 2px solid var(--focus); outline-offset: 2px; }
.enlarge { font: inherit; font-size: .85rem; color: inherit; background: none;
  border: 1px solid var(--soft); border-radius: .25rem; padding: .15rem .6rem;
  margin: .4rem 0; cursor: pointer; }
dialog { width: 98vw; max-width: none; max-height: 96vh; padding: .6rem;
  background: var(--paper); color: var(--ink); border: 1px solid var(--rule); }
dialog .sheet svg { min-width: 60rem; }
dialog::backdrop { background: rgba(0, 0, 0, .6); }
@media print { body { max-width: none; } details > * { display: block; } }
)css";

constexpr absl::string_view kScript = R"js(
"use strict";
(() => {
  const rowsToFilter = 6;

  // The number a cell starts with: "0.812[0.79, 0.83]" is 0.812, "1 min 03 s" is 63.
  const valueOf = (cell) => {
    const text = cell.textContent.trim();
    const time = /^(?:(\d+) h )?(?:(\d+) min)(?: (\d+) s)?$/.exec(text);
    if (time) return 3600 * (time[1] || 0) + 60 * time[2] + 1 * (time[3] || 0);
    const number = /^[+\u2212-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i.exec(text.replace(/,(?=\d{3})/g, ""));
    return number ? Number(number[0].replace("\u2212", "-")) : null;
  };

  const compare = (a, b) => {
    const x = valueOf(a), y = valueOf(b);
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    return a.textContent.localeCompare(b.textContent, undefined, {numeric: true});
  };

  const sortBy = (table, column, heading) => {
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    rows.sort((a, b) => {
      const order = compare(a.cells[column], b.cells[column]);
      // Cells without a value stay last either way.
      const valueless = (valueOf(a.cells[column]) === null) !== (valueOf(b.cells[column]) === null);
      return ascending || valueless ? order : -order;
    });
    body.append(...rows);
  };

  const addFilter = (table) => {
    const rows = Array.from(table.tBodies[0].rows);
    if (rowsToFilter > rows.length) return;
    const label = document.createElement("label");
    label.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    label.append("Filter rows ", input, count);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter((word) => word);
      let shown = 0;
      for (const row of rows) {
        const cells = Array.from(row.cells, (cell) => cell.textContent.toLowerCase());
        row.hidden = !words.every((word) => cells.some((text) => text.includes(word)));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    (table.closest(".scroll") || table).before(label);
  };

  for (const table of document.querySelectorAll("main table")) {
    if (!table.tHead || !table.tBodies.length) continue;
    const headings = table.tHead.rows[0].cells;
    Array.from(headings).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, column, heading));
      heading.append(button);
    });
    addFilter(table);
  }

  for (const figure of document.querySelectorAll("main figure")) {
    const sheet = figure.querySelector(".sheet");
    if (!sheet) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.textContent = "Enlarge";
    button.addEventListener("click", () => {
      const dialog = document.createElement("dialog");
      const close = document.createElement("button");
      close.type = "button";
      close.className = "enlarge";
      close.textContent = "Back (Escape)";
      close.addEventListener("click", () => dialog.close());
      // The drawing itself moves: a copy would hold every id twice.
      const place = document.createComment("");
      sheet.replaceWith(place);
      dialog.append(close, sheet);
      dialog.addEventListener("close", () => {
        place.replaceWith(sheet);
        dialog.remove();
        button.focus();
      });
      document.body.append(dialog);
      dialog.showModal();
    });
    (sheet.closest(".scroll") || sheet).after(button);
  }
})();
)js";

// "sha256-..." as a content security policy names a script.
std::string ScriptHash() {
  return absl::StrCat("sha256-", absl::Base64Escape(BytesFromHex(Sha256(kScript))));
}

}  // namespace

std::string PageHtml(absl::string_view title, absl::string_view heading,
                     absl::string_view subtitle, absl::string_view main) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:; script-src '",
      ScriptHash(), "'\">\n<link rel=\"icon\" href=\"data:,\">\n<title>",
      HtmlEscape(title), "</title>\n<style>", kStyle,
      "</style>\n</head>\n<body>\n<header>\n<h1>", HtmlEscape(heading),
      "</h1>\n<p class=\"subtitle\">", HtmlEscape(subtitle), "</p>\n</header>\n<main>\n",
      main, "</main>\n<script>", kScript, "</script>\n</body>\n</html>\n");
}

}  // namespace iat
