// SPDX-License-Identifier: Apache-2.0
import Presentation

/// Collects what a printer writes.
final class Page {
  private(set) var text = ""

  var output: Output { Output { self.text += String(decoding: $0, as: UTF8.self) } }
}
