import type { Unsettled } from './payment-bank.ts'
import type { Notice } from './present-payment.ts'
import type { TransportFault } from './scenario.ts'

export interface Answer {
  readonly status: number
  /** A string is HTML. */
  readonly body: object | string
  readonly headers?: Readonly<Record<string, string>>
  /** How the client gets something else, or nothing. */
  readonly fault?: TransportFault
  /** What is told by callback once this was sent. */
  readonly notices?: readonly Notice[]
}

/** A refusal: what is wrong as a code, and in words. */
export function problem(status: number, reason: string, details: string): Answer {
  return { status, body: { reason, details } }
}

/** A refusal of a method, naming those that the route takes. */
export function notAllowed(allow: string): Answer {
  return { ...problem(405, 'method-not-allowed', `This route allows ${allow}.`), headers: { allow } }
}

/** What is said while the log, or the scenario, keeps the bank from knowing or doing more. */
export function answerUnsettled({ outcome, why }: Unsettled): Answer {
  return outcome === 'unknown'
    ? problem(500, 'outcome-unknown', `The bank cannot tell what became of it: ${why}.`)
    : problem(503, 'unavailable', `Nothing was executed: ${why}.`)
}
