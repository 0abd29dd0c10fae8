// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The error numbers that the code checks for, under their C names (errno(3)).
package enum Errno {
  package static let EACCES = Glibc.EACCES
  package static let EAGAIN = Glibc.EAGAIN
  package static let EBUSY = Glibc.EBUSY
  package static let ECONNREFUSED = Glibc.ECONNREFUSED
  package static let ECONNRESET = Glibc.ECONNRESET
  package static let EDQUOT = Glibc.EDQUOT
  package static let EEXIST = Glibc.EEXIST
  package static let EFBIG = Glibc.EFBIG
  package static let EINPROGRESS = Glibc.EINPROGRESS
  package static let EINVAL = Glibc.EINVAL
  package static let EIO = Glibc.EIO
  package static let EISDIR = Glibc.EISDIR
  package static let ELOOP = Glibc.ELOOP
  package static let EMFILE = Glibc.EMFILE
  package static let EMLINK = Glibc.EMLINK
  package static let ENFILE = Glibc.ENFILE
  package static let ENODEV = Glibc.ENODEV
  package static let ENOENT = Glibc.ENOENT
  package static let ENOMEM = Glibc.ENOMEM
  package static let ENOSPC = Glibc.ENOSPC
  package static let ENOSYS = Glibc.ENOSYS
  package static let ENOTDIR = Glibc.ENOTDIR
  package static let ENOTSUP = Glibc.ENOTSUP
  package static let ENXIO = Glibc.ENXIO
  package static let EOPNOTSUPP = Glibc.EOPNOTSUPP
  package static let EPERM = Glibc.EPERM
  package static let EPIPE = Glibc.EPIPE
  package static let EROFS = Glibc.EROFS
  package static let ESTALE = Glibc.ESTALE
  package static let ETIMEDOUT = Glibc.ETIMEDOUT
  package static let EXDEV = Glibc.EXDEV
}
