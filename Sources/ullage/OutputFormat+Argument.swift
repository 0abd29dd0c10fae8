// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Presentation

extension OutputFormat: ExpressibleByArgument {}
