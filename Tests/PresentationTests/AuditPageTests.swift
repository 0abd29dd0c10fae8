// SPDX-License-Identifier: Apache-2.0
import Audit
import Findings
import Posix
import Quota
import Sweep
import Testing

@testable import Presentation

/// The page of an audit, as text.
struct AuditPageTests {
  @Test("What is put into a page is text, whatever it looks like; a part of a page stays as it is")
  func escaping() {
    let hostile = #"<script>alert("1" & '2')</script>"#
    let part: HTMLText = "<b title=\"\(hostile)\">\(hostile)</b>"
    let text = "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;"
    #expect(part.text == "<b title=\"\(text)\">\(text)</b>")
    let whole: HTMLText = "\([part, part])\(7)"
    #expect(whole.text == part.text + part.text + "7")
  }

  @Test("Hostile names of a mailbox, a domain and a folder are shown, and do nothing")
  func hostile() {
    var statistics = AuditStatistics(top: 5)
    let row = Samples.row("<i>x</i>")
    statistics.note(row, Samples.report { $0.usage = QuotaUsage(bytes: 900, messages: 1) }, directory: [])
    let page = AuditPage(AuditState(options: "", night: 0), statistics, Samples.remedies)
      .text(seconds: 1, now: Timestamp(seconds: 0, nanoseconds: 0))
    #expect(page.contains("&lt;i&gt;x&lt;/i&gt;@example.org") && !page.contains("<i>"))
    #expect(page.contains("<p class=\"good\">Nothing found.</p>"))
    #expect(page.matches(of: #/<script>/#).count == 1)
  }
}
