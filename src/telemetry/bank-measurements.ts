import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Watched } from './watched.ts'

/** What is measured of the calls to the bank, and of the gate before it. */
export function bankMeasurements(registers: Registry[], watched: Watched) {
  const breaker = new Gauge({
    name: 'bulkhead_bank_breaker_open',
    help: '1 while this process leaves the bank alone (breaker, until a probe goes well, or Retry-After), else 0.',
    registers,
    collect() {
      this.set(watched.bankGate?.().closed ? 1 : 0)
    }
  })
  const openings = new Counter({
    name: 'bulkhead_bank_breaker_openings_total',
    help: 'How often this process began to leave the bank alone.',
    registers,
    collect() {
      this.reset()
      this.inc(watched.bankGate?.().closings ?? 0)
    }
  })
  const calls = new Gauge({
    name: 'bulkhead_bank_calls',
    help: 'Calls to the bank: under_way, waiting for their turn, and how many are allowed at one time.',
    labelNames: ['state'],
    registers,
    collect() {
      const { allowed = 0, underWay = 0, waiting = 0 } = watched.bankGate?.() ?? {}
      this.set({ state: 'allowed' }, allowed)
      this.set({ state: 'under_way' }, underWay)
      this.set({ state: 'waiting' }, waiting)
    }
  })
  return {
    breaker,
    openings,
    calls,
    bankCalls: new Histogram({
      name: 'bulkhead_bank_call_duration_seconds',
      help: 'Time of a call to the bank, by operation and outcome; unknown, not-accepted and unavailable are errors.',
      labelNames: ['operation', 'outcome'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers
    }),
    bankErrors: new Counter({
      name: 'bulkhead_bank_errors_total',
      help: 'Calls to the bank that gave no answer which counts, by operation and cause.',
      labelNames: ['operation', 'cause'],
      registers
    })
  }
}
