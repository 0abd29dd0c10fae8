// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The error numbers that the code checks for, under their C names (errno(3)).
package enum Errno {
  package static let EACCES = CPosix.EACCES
  package static let EAGAIN = CPosix.EAGAIN
  package static let EBUSY = CPosix.EBUSY
  package static let ECONNREFUSED = CPosix.ECONNREFUSED
  package static let ECONNRESET = CPosix.ECONNRESET
  package static let EDQUOT = CPosix.EDQUOT
  package static let EEXIST = CPosix.EEXIST
  package static let EFBIG = CPosix.EFBIG
  package static let EINPROGRESS = CPosix.EINPROGRESS
  package static let EINVAL = CPosix.EINVAL
  package static let EIO = CPosix.EIO
  package static let EISDIR = CPosix.EISDIR
  package static let ELOOP = CPosix.ELOOP
  package static let EMFILE = CPosix.EMFILE
  package static let EMLINK = CPosix.EMLINK
  package static let ENFILE = CPosix.ENFILE
  package static let ENODEV = CPosix.ENODEV
  package static let ENOENT = CPosix.ENOENT
  package static let ENOMEM = CPosix.ENOMEM
  package static let ENOSPC = CPosix.ENOSPC
  package static let ENOSYS = CPosix.ENOSYS
  package static let ENOTDIR = CPosix.ENOTDIR
  package static let ENOTSUP = CPosix.ENOTSUP
  package static let ENXIO = CPosix.ENXIO
  package static let EOPNOTSUPP = CPosix.EOPNOTSUPP
  package static let EPERM = CPosix.EPERM
  package static let EPIPE = CPosix.EPIPE
  package static let EROFS = CPosix.EROFS
  package static let ESTALE = CPosix.ESTALE
  package static let ETIMEDOUT = CPosix.ETIMEDOUT
  package static let EXDEV = CPosix.EXDEV
}
