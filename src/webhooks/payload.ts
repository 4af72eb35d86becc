/** The type of what is sent to try an endpoint. */
export const testType = 'webhook.test'

export interface Told {
  type: string
  occurred_at: Date | null
  created_at: Date
  position: bigint | null
  version: number | null
  data: unknown
}

/**
 * The body of a webhook, made of its event alone, which never changes: so it is the same at every attempt, and what GET
 * said at that version. It names no person and no account; the rest is behind the links.
 */
export function renderPayload({ type, occurred_at, created_at, position, version, data }: Told): string {
  const timestamp = (occurred_at ?? created_at).toISOString()
  if (position === null) return JSON.stringify({ type, timestamp, data: { message: 'This is a test.' } })
  const { bulk_id } = data as { bulk_id?: string }
  return JSON.stringify({
    type,
    timestamp,
    data: {
      ...(data as object),
      ...(version === null ? {} : { version }),
      position: Number(position),
      ...(bulk_id === undefined
        ? {}
        : {
            status_url: `/transfers/bulk/${bulk_id}/status`,
            transfers_url: `/transfers/bulk/${bulk_id}/transfers`
          })
    }
  })
}
