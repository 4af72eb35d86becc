/** What is looked at when it is asked for, by whoever has it. */
export interface Watched {
  bankGate?: () => BankGateState
  connections?: () => { total: number; idle: number; waiting: number }
}

/** The gate before the bank at one instant. */
export interface BankGateState {
  closed: boolean
  closings: number
  allowed: number
  underWay: number
  waiting: number
}
