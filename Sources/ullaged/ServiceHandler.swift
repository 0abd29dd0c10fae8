// SPDX-License-Identifier: Apache-2.0
import Conversation
import NIOCore
import NIOPosix
import Posix

/// Moves the bytes of one client, and hands its requests to the threads that find the replies.
final class ServiceHandler<R: Responder>: ChannelInboundHandler, ServiceClient {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let responder: R
  private let threads: NIOThreadPool
  private let clients: ServiceClients
  private var context: ChannelHandlerContext?
  private var session: R.Session
  /// The request whose reply is awaited, and its number.
  private var request: R.Session.Request?
  private var ticket = 0
  /// What waits for its turn.
  private var pending: Pending?
  /// Threads that still work for this client, perhaps on requests that have been answered without them.
  private var work = 0
  private(set) var lastRequest = NIODeadline.now()
  /// When the client has last sent something, or something has been sent to it.
  private var lastSign = NIODeadline.now()
  private var lateTimer: Scheduled<Void>?
  private var silenceTimer: Scheduled<Void>?
  /// Bytes that have arrived since all that had arrived was handled.
  private var unread = 0
  /// Replies that are not sent yet.
  private var hasReplies = false
  /// The client sends nothing more; it may still wait for replies.
  private var isInputClosed = false

  /// Bytes that a client may send before it gets the replies to those before.
  private static var mostUnread: Int { 64 << 10 }

  /// Seconds for which a client may be silent once the service is ending.
  private static var drainingSilence: Int64 { 5 }

  /// Work that waits for its turn. After a late reply it is not done, and must not hold its part of a message.
  private final class Pending {
    var task: (@Sendable (Deadline) -> R.Session.Reply)?

    init(_ task: @escaping @Sendable (Deadline) -> R.Session.Reply) { self.task = task }
  }

  init(_ responder: R, _ threads: NIOThreadPool, _ clients: ServiceClients) {
    self.responder = responder
    self.threads = threads
    self.clients = clients
    session = responder.makeSession()
  }

  var isIdle: Bool { session.isIdle }
  var isConnected: Bool { context != nil }

  func close() {
    context?.close(promise: nil)
  }

  /// Lets the client bring to an end what it has begun.
  func drain() {
    guard let context else { return }
    proceed(context)
    lastSign = .now()
    watchSilence(context, seconds: Self.drainingSilence)
  }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    clients.add(self)
    proceed(context)
    if let seconds = R.silenceLimit { watchSilence(context, seconds: seconds) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    request = nil
    responder.clientIsGone()
    dropPending()
    // They would keep all this alive until then.
    lateTimer?.cancel()
    silenceTimer?.cancel()
    // Count it until it is answered, or clients that hang up at once could grow the queue without bound.
    if work == 0 { clients.remove(self) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastSign = .now()
    let bytes = unwrapInboundIn(data)
    unread += bytes.readableBytes
    // A flood waits in its own socket.
    if unread > Self.mostUnread { setReading(false, context) }
    session.receive(bytes.readableBytesView)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed? = event as? ChannelEvent else {
      return context.fireUserInboundEventTriggered(event)
    }
    isInputClosed = true
    proceed(context)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    proceed(context)
  }

  /// Reads nothing more from a client that does not read its answers.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    proceed(context)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// Answers the requests received so far, and reads on.
  private func proceed(_ context: ChannelHandlerContext) {
    answerAll(context)
    guard hasReplies else { return }
    hasReplies = false
    context.flush()
  }

  private func answerAll(_ context: ChannelHandlerContext) {
    while context.channel.isWritable || clients.isDraining {
      switch session.next(isDraining: clients.isDraining) {
      case .wait: return
      case .read:
        if unread > Self.mostUnread { setReading(true, context) }
        unread = 0
        if isInputClosed || clients.isFull && session.isIdle { closeAfterReplies(context) }
        return
      case .close: return closeAfterReplies(context)
      case .send(let bytes): write(bytes, context)
      case .answer(let request):
        lastRequest = .now()
        guard let reply = responder.immediateReply(to: request) else { return find(request, context) }
        write(session.answered(reply), context)
      }
    }
  }

  private func find(_ request: R.Session.Request, _ context: ChannelHandlerContext) {
    let deadline = Deadline(secondsFromNow: responder.answerTimeout)
    ticket += 1
    work += 1
    let task = responder.work(on: request)
    self.request = request
    if R.hasLateReplies { watch(context) }
    guard let turn = responder.turn(of: request) else { return run(task, ticket, nil, until: deadline, context) }
    let pending = Pending(task)
    self.pending = pending
    clients.turns.start(turn, limit: responder.turnLimit) { [ticket] in
      guard let task = pending.task.take() else {
        self.endWork()
        return false
      }
      self.run(task, ticket, turn, until: deadline, context)
      return true
    }
  }

  private func run(
    _ task: @escaping @Sendable (Deadline) -> R.Session.Reply, _ ticket: Int, _ turn: [UInt8]?,
    until deadline: Deadline, _ context: ChannelHandlerContext
  ) {
    threads.runIfActive(eventLoop: context.eventLoop) { task(deadline) }
      .assumeIsolated().whenComplete {
        if let turn { self.clients.turns.finish(turn) }
        self.finish($0, ticket)
      }
  }

  /// Answers in place of a thread that does not. There is one timer for a connection, however many its requests are.
  private func watch(_ context: ChannelHandlerContext) {
    guard lateTimer == nil else { return }
    let limit = TimeAmount.seconds(responder.answerTimeout + 1)
    lateTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: lastRequest + limit) {
      self.lateTimer = nil
      guard let context = self.context, self.session.isAnswering, let request = self.request else { return }
      if .now() - self.lastRequest < limit { return self.watch(context) }
      guard let reply = self.responder.lateReply(to: request) else { return }
      self.responder.noteLateReply(to: request)
      self.dropPending()
      self.send(reply, context)
    }
  }

  /// Lets go of the work that is not to be done any more. A thread comes last, which may take its time.
  private func dropPending() {
    pending?.task = nil
    if let rest = responder.leftover() { threads.submit { _ in rest() } }
  }

  /// Closes the connection if nothing has happened on it for so many seconds, then or later.
  private func watchSilence(_ context: ChannelHandlerContext, seconds: Int64) {
    silenceTimer?.cancel()
    silenceTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: lastSign + .seconds(seconds)) {
      guard let context = self.context else { return }
      if self.session.isAnswering { self.lastSign = .now() }
      guard .now() - self.lastSign >= .seconds(seconds) else { return self.watchSilence(context, seconds: seconds) }
      self.close()
    }
  }

  private func finish(_ result: Result<R.Session.Reply, any Error>, _ ticket: Int) {
    endWork()
    switch result {
    case .success(let reply): answer(reply, ticket)
    case .failure: close()
    }
  }

  private func endWork() {
    work -= 1
    if context == nil, work == 0 { clients.remove(self) }
  }

  private func answer(_ reply: R.Session.Reply, _ ticket: Int) {
    guard let context, let request, ticket == self.ticket else { return }
    responder.take(reply, to: request)
    send(reply, context)
  }

  private func send(_ reply: R.Session.Reply, _ context: ChannelHandlerContext) {
    // What a thread finds after this is nobody's.
    request = nil
    write(session.answered(reply), context)
    proceed(context)
  }

  private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    guard !bytes.isEmpty else { return }
    lastSign = .now()
    hasReplies = true
    context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
  }

  private func closeAfterReplies(_ context: ChannelHandlerContext) {
    context.flush()
    close()
  }

  private func setReading(_ isReading: Bool, _ context: ChannelHandlerContext) {
    _ = context.channel.setOption(.autoRead, value: isReading)
  }
}
