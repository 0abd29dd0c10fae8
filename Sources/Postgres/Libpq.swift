// SPDX-License-Identifier: Apache-2.0
import CLibpq
import Posix

/// The functions of libpq that we call, loaded when a connection is made.
@safe
struct Libpq {
  typealias Connection = OpaquePointer
  typealias Result = OpaquePointer
  typealias Text = UnsafeMutablePointer<CChar>
  typealias Keywords = UnsafePointer<UnsafePointer<CChar>?>
  typealias NoticeReceiver = @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?) -> Void

  let connectStartParams: @convention(c) (Keywords?, Keywords?, CInt) -> Connection?
  let connectPoll: @convention(c) (Connection?) -> PostgresPollingStatusType
  let status: @convention(c) (Connection?) -> ConnStatusType
  let socket: @convention(c) (Connection?) -> CInt
  let errorMessage: @convention(c) (Connection?) -> Text?
  let setNoticeReceiver: @convention(c) (Connection?, NoticeReceiver?, UnsafeMutableRawPointer?) -> NoticeReceiver?
  let setNonblocking: @convention(c) (Connection?, CInt) -> CInt
  let sendQuery: @convention(c) (Connection?, UnsafePointer<CChar>?) -> CInt
  let flush: @convention(c) (Connection?) -> CInt
  let consumeInput: @convention(c) (Connection?) -> CInt
  let isBusy: @convention(c) (Connection?) -> CInt
  let getResult: @convention(c) (Connection?) -> Result?
  let resultStatus: @convention(c) (Result?) -> ExecStatusType
  let resultErrorMessage: @convention(c) (Result?) -> Text?
  let resultErrorField: @convention(c) (Result?, CInt) -> Text?
  let rowCount: @convention(c) (Result?) -> CInt
  let columnCount: @convention(c) (Result?) -> CInt
  let value: @convention(c) (Result?, CInt, CInt) -> Text?
  let length: @convention(c) (Result?, CInt, CInt) -> CInt
  let isNull: @convention(c) (Result?, CInt, CInt) -> CInt
  let clear: @convention(c) (Result?) -> Void
  #if !hasFeature(Embedded)
    let affectedRows: @convention(c) (Result?) -> Text?
  #endif
  let backendPID: @convention(c) (Connection?) -> CInt
  let finish: @convention(c) (Connection?) -> Void
  let escapeString: @convention(c) (Connection?, Text?, UnsafePointer<CChar>?, Int, UnsafeMutablePointer<CInt>?) -> Int

  /// - Parameter name: `libpq.so.5`, the library of every PostgreSQL since 8.2.
  init(_ name: String) throws(DynamicLibraryError) {
    let library = try DynamicLibrary(name)
    unsafe connectStartParams = try library.function("PQconnectStartParams")
    unsafe connectPoll = try library.function("PQconnectPoll")
    unsafe status = try library.function("PQstatus")
    unsafe socket = try library.function("PQsocket")
    unsafe errorMessage = try library.function("PQerrorMessage")
    unsafe setNoticeReceiver = try library.function("PQsetNoticeReceiver")
    unsafe setNonblocking = try library.function("PQsetnonblocking")
    unsafe sendQuery = try library.function("PQsendQuery")
    unsafe flush = try library.function("PQflush")
    unsafe consumeInput = try library.function("PQconsumeInput")
    unsafe isBusy = try library.function("PQisBusy")
    unsafe getResult = try library.function("PQgetResult")
    unsafe resultStatus = try library.function("PQresultStatus")
    unsafe resultErrorMessage = try library.function("PQresultErrorMessage")
    unsafe resultErrorField = try library.function("PQresultErrorField")
    unsafe rowCount = try library.function("PQntuples")
    unsafe columnCount = try library.function("PQnfields")
    unsafe value = try library.function("PQgetvalue")
    unsafe length = try library.function("PQgetlength")
    unsafe isNull = try library.function("PQgetisnull")
    unsafe clear = try library.function("PQclear")
    #if !hasFeature(Embedded)
      unsafe affectedRows = try library.function("PQcmdTuples")
    #endif
    unsafe backendPID = try library.function("PQbackendPID")
    unsafe finish = try library.function("PQfinish")
    unsafe escapeString = try library.function("PQescapeStringConn")
  }
}
