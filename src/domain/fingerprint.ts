/** What makes one payment look like another: who gets it, how much, and what for. */
export interface PaymentLike {
  counterparty_iban: string
  amount_minor: string
  description: string
}

/** Equal for payments that look alike. The currency is that of the account; names are spelt in too many ways. */
export function paymentKey({ counterparty_iban, amount_minor, description }: PaymentLike): string {
  return `${counterparty_iban} ${amount_minor} ${description}`
}

/** Four bytes of what makes a payment's key (FNV-1a). Two keys may share them: what they find has to be looked at. */
export function fingerprint({ counterparty_iban, amount_minor, description }: PaymentLike): number {
  return hashOn(hashOn(hashOn(0x811c9dc5, counterparty_iban), amount_minor), description)
}

function hashOn(start: number, text: string): number {
  // Something between two fields, so that moving a character from one to the other makes a difference.
  let hash = Math.imul(start ^ 0x100, 0x01000193)
  for (let place = 0; place < text.length; place++)
    hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193)
  return hash
}

/** The fingerprints of a bulk's payments in their order, four bytes each. */
export function packFingerprints(payments: PaymentLike[]): Buffer {
  const packed = Buffer.allocUnsafe(payments.length * 4)
  payments.forEach((payment, index) => packed.writeInt32LE(fingerprint(payment), index * 4))
  return packed
}

/** Payments that look like an earlier one of the same bulk, with the place of the first that does. */
export function findRepetitions(payments: PaymentLike[], packed: Buffer): { index: number; first: number }[] {
  const firstUse = new Map<number, number>()
  return payments.flatMap((payment, index) => {
    const print = packed.readInt32LE(index * 4)
    const first = firstUse.get(print)
    if (first === undefined) firstUse.set(print, index)
    const other = first === undefined ? undefined : payments[first]
    return first !== undefined && other !== undefined && paymentKey(other) === paymentKey(payment)
      ? [{ index, first }]
      : []
  })
}

/** Fingerprints that are looked for, and how many of each are still wanted. */
export interface WantedFingerprints {
  left: Map<number, number>
  /** By the low 16 bits: nearly all that is not wanted is told apart by one look. */
  bitmap: Uint8Array
}

/** The fingerprints of a bulk, to be looked for in others; of each the first few found are enough. */
export function wantFingerprints(packed: Buffer, mostOfEach: number): WantedFingerprints {
  const wanted = { left: new Map<number, number>(), bitmap: new Uint8Array(0x10000) }
  for (let place = 0; place < packed.length; place += 4) {
    const print = packed.readInt32LE(place)
    wanted.left.set(print, mostOfEach)
    wanted.bitmap[print & 0xffff] = 1
  }
  return wanted
}

/** The places in a bulk's packed fingerprints of those that are wanted; they are then wanted once less. */
export function takeFingerprints(packed: Buffer, wanted: WantedFingerprints): number[] {
  const places: number[] = []
  for (let place = 0; place < packed.length; place += 4) {
    const print = packed.readInt32LE(place)
    if (wanted.bitmap[print & 0xffff] === 0) continue
    const left = wanted.left.get(print) ?? 0
    if (left === 0) continue
    wanted.left.set(print, left - 1)
    places.push(place / 4)
  }
  return places
}
