// SPDX-License-Identifier: Apache-2.0

/// The looks and the behaviour of a page.
enum PageParts {
  /// On a narrow screen each row of a table becomes a block.
  static let style: HTMLText = """
    :root {
      color-scheme: light dark;
      --page: #f6f7f9; --card: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d8dee4;
      --bar: #2f6fbd; --track: #e6eaef; --good: #1a7f37; --warning: #9a6700; --error: #cf222e;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #0f1318; --card: #181d24; --text: #e6e9ed; --soft: #9aa5b1; --line: #2d3540;
        --bar: #6aa5ea; --track: #2a323d; --good: #4ac26b; --warning: #d9a72b; --error: #ff7b72;
      }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
    header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1rem; }
    header { padding-top: 2rem; }
    h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; }
    h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
    p { margin: .25rem 0; }
    .soft, footer { color: var(--soft); }
    footer { padding-bottom: 2rem; font-size: .875rem; }
    section {
      background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem;
      margin: 1rem 0;
    }
    .tiles {
      display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1rem;
      margin: 1rem 0; padding: 0;
    }
    .tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
    .tiles dt { color: var(--soft); font-size: .875rem; }
    .tiles dd { margin: 0; font-size: 1.35rem; overflow-wrap: anywhere; font-weight: 600; line-height: 1.3; }
    .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 1rem; }
    .good { color: var(--good); }
    dd.warning, td.warning { color: var(--warning); }
    dd.error, td.error, p.error { color: var(--error); }
    svg { display: block; width: 100%; height: .8rem; border-radius: .2rem; background: var(--track); }
    rect { fill: var(--bar); }
    .warning rect { fill: var(--warning); }
    .error rect { fill: var(--error); }
    table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
    caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
    th, td {
      text-align: left; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line);
      vertical-align: top; overflow-wrap: anywhere;
    }
    thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .875rem; }
    .number { text-align: right; white-space: nowrap; }
    .chart { width: 30%; min-width: 6rem; }
    td.chart { vertical-align: middle; }
    .list tbody th { min-width: 13rem; }
    .words { min-width: 9rem; }
    th button { all: unset; cursor: pointer; }
    th button:focus-visible, input:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
    th button::after { content: " ↕"; opacity: .6; }
    th[aria-sort=ascending] button::after { content: " ▲"; }
    th[aria-sort=descending] button::after { content: " ▼"; }
    input {
      font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line);
      border-radius: .35rem; padding: .3rem .6rem; width: 100%; max-width: 20rem; margin-bottom: .75rem;
    }
    a { color: inherit; }
    @media (max-width: 45rem) {
      .list, .list tbody, .list tr, .list td, .list tbody th { display: block; width: auto; min-width: 0; }
      .list thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      .list caption { display: block; }
      .list tr { border-top: 1px solid var(--line); padding: .4rem 0; }
      .list tr[hidden] { display: none; }
      .list th, .list td { border: 0; padding: .05rem 0; }
      .list td {
        display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: .5rem; text-align: left;
        white-space: normal; align-items: center;
      }
      .list .words { min-width: 0; }
      .list td::before { content: attr(data-title); color: var(--soft); }
    }
    @media print { input { display: none; } section { break-inside: avoid; } }
    """

  /// Without it only sorting and searching are missing.
  static let script: HTMLText = """
    "use strict";
    for (const table of document.querySelectorAll("table.list")) {
      const body = table.tBodies[0], rows = [...body.rows];
      if (rows.length > 10) {
        const search = document.createElement("input");
        search.type = "search";
        search.placeholder = "Search";
        search.setAttribute("aria-label", "Search in: " + table.caption.textContent);
        search.addEventListener("input", () => {
          const text = search.value.toLowerCase();
          for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(text);
        });
        table.before(search);
      }
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        const button = document.createElement("button");
        button.append(...head.childNodes);
        head.append(button);
        const key = row => {
          const cell = row.cells[column];
          return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
        };
        button.addEventListener("click", () => {
          const sign = head.ariaSort === "descending" ? 1 : -1;
          for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
          head.ariaSort = sign > 0 ? "ascending" : "descending";
          rows.sort((a, b) => {
            const [x, y] = [key(a), key(b)];
            return sign * (typeof x === "number" ? x - y : x.localeCompare(y));
          });
          body.append(...rows);
        });
      });
    }
    """
}
