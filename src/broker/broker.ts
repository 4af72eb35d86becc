/** That there is work. Only a hint: losing, doubling or reordering it does no harm, since workers also look by themselves. */
export interface WorkHint {
  organization_id: number
  bulk_no: string
}

/** Carries hints from whoever accepts a bulk to whoever can work on it. */
export interface Broker {
  /** Tells the workers; resolves when handed over, rejects if it could not be. Called after the commit. */
  announce(hint: WorkHint): Promise<void>
  /** Calls the listener at each hint, and goes on doing so through reconnections, until closed. */
  listen(listener: () => void): Promise<void>
  close(): Promise<void>
}
