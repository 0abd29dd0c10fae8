// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage audit --html`, seen by a browser.
struct AuditPageTests {
  /// Opens the page at each width in each scheme; sorts and searches; prints what it saw as lines of JSON.
  private static let browser = """
    import json, sys
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--user-data-dir=" + sys.argv[2]):
      options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
      for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        for width in (390, 1440):
          metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
          driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
          driver.get("file://" + sys.argv[1])
          print(json.dumps(driver.execute_script('''
            const time = performance.timing, list = document.querySelectorAll("table.list")[1];
            const names = () => [...list.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].innerText);
            const first = names()[0];
            list.querySelector("th button").click();
            list.querySelector("th button").click();
            const sorted = names()[0];
            const search = document.querySelector("input");
            search.value = "17";
            search.dispatchEvent(new Event("input"));
            return {
              width: document.documentElement.scrollWidth, load: time.loadEventEnd - time.navigationStart,
              background: getComputedStyle(document.body).backgroundColor, first, sorted,
              found: [...document.querySelector("table.list").tBodies[0].rows].filter(row => !row.hidden).length,
              captions: [...document.querySelectorAll("table")].every(table => table.caption.textContent !== ""),
              headings: document.querySelectorAll("h1").length, scripts: document.scripts.length,
            };''')))
      print(json.dumps({"log": driver.get_log("browser")}))
    finally:
      driver.quit()
    """

  @Test("100,000 mailboxes in 1,000 domains: the page is small, loads at once, fits any screen and logs no error")
  func browser() throws {
    let site = try AuditSite(
      """
      mailbox_list_query = SELECT 'u' || i || '@d' || i % 1000 || '.example.org', 'example.org/u' || i || '/', 1000000 \
      FROM generate_series(0, 99999) AS i UNION ALL \
      SELECT '<script>alert(1)</script>@example.org', 'example.org/ann/', 1000000
      """)
    try site.make("example.org/ann", ledger: "1000000S\n 900000 3\n")
    try site.make("example.org/u17", ledger: "1000000S\n 1100000 3\n")
    let file = site.host.sandbox("audit.html")
    #expect(try site.audit("--level=0", "--html=\(file)").status == 1)
    #expect(try Command.check(["stat", "-c", "%a", file]) == "640\n")
    let page = try #require(site.host.sandbox.text("audit.html"))
    #expect(page.utf8.count < 2_000_000, "\(page.utf8.count)")

    let home = "HOME=\(site.host.sandbox.path)"
    let seen = try Command.check(
      ["env", home, "python3", "-c", Self.browser, file, site.host.sandbox("chromium")])
    let lines = seen.split(separator: "\n").map(String.init)
    #expect(lines.count == 5 && lines.last == #"{"log": []}"#, "\(seen)")
    var backgrounds: [String] = []
    for (line, width) in zip(try lines.prefix(4).map { try fields($0) }, ["390", "1440", "390", "1440"]) {
      #expect(line["width"] == width, "\(line)")
      #expect(try #require(line["load"].flatMap { Int($0) }) < 2000, "\(line)")
      #expect(line["first"] == "u17@d17.example.org", "\(line)")
      // Backwards at first, then forwards.
      #expect(line["sorted"] == "<script>alert(1)</script>@example.org", "\(line)")
      #expect(line["captions"] == "1" && line["headings"] == "1" && line["scripts"] == "1", "\(line)")
      // d17, d117 to d917, d170 to d179.
      #expect(line["found"] == "20", "\(line)")
      backgrounds.append(line["background"] ?? "")
    }
    #expect(Set(backgrounds).count == 2 && backgrounds[0] == backgrounds[1] && backgrounds[2] == backgrounds[3])
  }
}
