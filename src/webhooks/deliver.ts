import type { Context } from '../context.ts'
import { disabledAfterMs, nextAttemptMs, retryAfterMs } from '../domain/webhook-schedule.ts'
import type { OutgoingAnswer, OutgoingCall } from '../outgoing/outgoing.ts'
import { storableText } from '../banking/bank-text.ts'
import { failSpan, traceparentOf, withSpan, type Span } from '../telemetry/tracing.ts'
import { toldTypes } from '../events/event-types.ts'
import { claimDeliveries, fanOut, recordAttempt } from './dispatch-queries.ts'
import { abandonDeliveries } from './endpoint-queries.ts'
import { renderPayload } from './payload.ts'
import { openSecret } from './sealed-secret.ts'
import { signedHeaders } from './signature.ts'

export type Delivery = Awaited<ReturnType<typeof claimDeliveries>>[number]

/** Makes deliveries of all sealed events that an endpoint waits for. */
export async function prepareDeliveries(context: Context): Promise<void> {
  for (;;) {
    const [row] = await fanOut(context.db, { endpoints: 100, events: 200, told_types: toldTypes })
    if (!row || row.moved === 0n) return
  }
}

/** Takes due deliveries, for somewhat longer than sending can take. */
export async function takeDeliveries(
  context: Context,
  options: { failing: boolean; slots: number; per_endpoint: number }
): Promise<Delivery[]> {
  return claimDeliveries(context.db, { ...options, lease_ms: context.settings.WEBHOOK_TIMEOUT_MS + 15_000 })
}

/** Sends a delivery that was taken, and records what came of it: at least once, under one webhook-id. */
export async function deliver(context: Context, delivery: Delivery): Promise<void> {
  const began_ms = context.clock.elapsedMs()
  const answer = await send(context, delivery)
  await record(context, delivery, answer, Math.round(context.clock.elapsedMs() - began_ms))
}

/** What comes of an attempt. Without a secret nothing is sent: it could not be told from a forged webhook. */
type Answer = OutgoingAnswer | { outcome: 'refused'; cause: typeof unreadableSecret }

/** Of an endpoint whose secret no key of WEBHOOK_SECRET_KEY opens; its attempts fail like others until one does. */
export const unreadableSecret = 'secret-not-readable'

function send(context: Context, delivery: Delivery): Promise<Answer> {
  const { trace_id, webhook_id, type, url } = delivery
  const attributes = {
    'http.request.method': 'POST',
    'server.address': new URL(url).hostname,
    'bulkhead.webhook_id': webhook_id,
    'bulkhead.event_type': type
  }
  return withSpan('POST', { trace_id, kind: 'CLIENT', attributes }, async (span) => {
    const call = writeCall(context, delivery, span)
    const answer: Answer =
      call === null ? { outcome: 'refused', cause: unreadableSecret } : await context.outgoing.post(call)
    if (answer.outcome !== 'answered') failSpan(span, answer.cause)
    else {
      span.setAttribute('http.response.status_code', answer.status)
      if (!isSuccess(answer.status)) failSpan(span, String(answer.status))
    }
    return answer
  })
}

function writeCall(
  { settings, clock, random }: Context,
  delivery: Delivery,
  span: Span
): OutgoingCall | null {
  const { organization_id, secret, old_secret, webhook_id, trace_id, url } = delivery
  const keeper = { keys: settings.WEBHOOK_SECRET_KEY, organization_id }
  const current = openSecret(secret, keeper)
  if (current === null) return null
  // The one before the current one signs beside it as long as it counts and can be read.
  const old = old_secret === null ? null : openSecret(old_secret, keeper)
  const body = renderPayload(delivery)
  const message = { webhook_id, body, timestamp_s: Math.floor(clock.nowMs() / 1000) }
  const span_id = Buffer.from(random.bytes(8)).toString('hex')
  return {
    url,
    body,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Bulkhead-Webhooks/1',
      ...(trace_id === null ? {} : { traceparent: traceparentOf(span, trace_id, span_id) }),
      ...signedHeaders(message, old === null ? [current] : [current, old])
    }
  }
}

async function record(
  context: Context,
  delivery: Delivery,
  answer: Answer,
  durationMs: number
): Promise<void> {
  const { organization_id, endpoint_no, delivery_no, epoch, failures } = delivery
  const answered = answer.outcome === 'answered' ? answer : null
  const cause = answered === null || !isSuccess(answered.status) ? describeFailure(answer) : null
  const pause_ms = cause === null ? 0 : retryAfterMs(answered?.retry_after ?? null, context.clock.nowMs())
  const gone = answered?.status === 410
  const [endpoint] = await recordAttempt(context.db, {
    organization_id,
    endpoint_no,
    delivery_no,
    epoch,
    http_status: answered?.status ?? null,
    cause,
    answer: answered === null ? null : storableText(answered.body_start),
    duration_ms: durationMs,
    retry_in_ms: toBigint(nextAttemptMs(failures + 1, context.random.fraction(), pause_ms)),
    pause_ms: BigInt(pause_ms),
    gone,
    disabled_after_ms: BigInt(disabledAfterMs)
  })
  const outcome = cause === null ? 'delivered' : answer.outcome === 'refused' ? 'refused' : 'failed'
  context.measurements.webhookAttempts.inc({ outcome })
  const { webhook_id, trace_id, type } = delivery
  const made = { trace_id, webhook_id, type, outcome, cause, duration_ms: durationMs }
  context.log.debug(made, 'webhook attempt')
  if (!endpoint?.disabled_reason) return
  await abandonDeliveries(context.db, { organization_id, endpoint_no })
  const about = { organization_id, endpoint_no: endpoint_no.toString(), reason: endpoint.disabled_reason }
  context.log.warn(about, 'a webhook endpoint was disabled')
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

function describeFailure(answer: Answer): string {
  return answer.outcome === 'answered' ? `http-${answer.status}` : answer.cause
}

function toBigint(ms: number | null): bigint | null {
  return ms === null ? null : BigInt(ms)
}
