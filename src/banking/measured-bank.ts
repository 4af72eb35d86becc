import { boundedLabel } from '../telemetry/bounded-label.ts'
import type { Log } from '../telemetry/log.ts'
import type { Measurements } from '../telemetry/measurements.ts'
import type { BankConnector, CallOptions, PaymentOrder } from './connector.ts'

/** Enough for every way in which a call has ever failed; a bank that invents statuses does not fill the memory. */
const mostCauses = 40

/** A bank whose calls are timed and, at the level debug, logged, and whose failures are counted by their cause. */
export function measureBank(bank: BankConnector, measurements: Measurements, log: Log): BankConnector {
  const labelCause = boundedLabel(mostCauses)

  async function timed<A extends { outcome: string; cause?: string }>(
    operation: 'submit' | 'inquire' | 'statement',
    call: () => Promise<A>,
    about?: { order: PaymentOrder; options: CallOptions | undefined }
  ): Promise<A> {
    const startedAt = performance.now()
    const answer = await call()
    const { outcome, cause } = answer
    const took_ms = performance.now() - startedAt
    measurements.bankCalls.observe({ operation, outcome }, took_ms / 1000)
    if (cause !== undefined) measurements.bankErrors.inc({ operation, cause: labelCause(cause) })
    // One line a transfer is worth its time only to somebody who looks for one.
    if (about !== undefined && log.isLevelEnabled('debug')) {
      const { order, options } = about
      const said = { operation, outcome, cause, duration_ms: Math.round(took_ms) }
      log.debug({ trace_id: options?.trace_id, transfer_id: order.reference, ...said }, 'bank call')
    }
    return answer
  }

  return {
    abilities: bank.abilities,
    submit: (order, options) => timed('submit', () => bank.submit(order, options), { order, options }),
    inquire: (order, options) => timed('inquire', () => bank.inquire(order, options), { order, options }),
    readStatement: (cursor) => timed('statement', () => bank.readStatement(cursor)),
    ping: () => bank.ping(),
    close: () => bank.close()
  }
}
