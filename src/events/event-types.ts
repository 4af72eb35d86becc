/** Everything that is told of bulks, in a line for whoever subscribes to it. The one table. */
export const eventTypes = {
  'bulk.accepted': 'A bulk was accepted, and its money reserved.',
  'bulk.processing': 'The first transfers of a bulk are being sent.',
  'bulk.progress': 'A quarter, half or three quarters of the transfers of a bulk have ended; see percent.',
  'bulk.needs_attention':
    'Somebody should look: the outcome of transfers stays unknown, or something does not agree.',
  'bulk.stopped': 'A bulk was cancelled, or stopped by a failure: what is not sent yet will not be.',
  'bulk.completed':
    'The end of a bulk, whatever its final status: every transfer has ended. Exactly one for each bulk.',
  'transfers.settled': 'Transfers of a bulk have ended: their indexes, by status and reason code.',
  'transfers.returned': 'Money of an executed transfer came back.'
} as const

export type EventType = keyof typeof eventTypes

/** The end of an insert of what happens to a bulk once: of two that both believe to be first, one tells it. */
export const unlessTold = `on conflict (organization_id, bulk_no, type)
       where type in ('bulk.accepted', 'bulk.processing', 'bulk.stopped', 'bulk.completed') do nothing`

/** What administrators and operators do: in the same order and chain, and told by the audit log only. */
export const auditTypes = {
  'organization.created': 'An organization was made.',
  'organization.limited': 'What an organization may ask for a minute was set.',
  'organization.policy_changed': 'How bulks and their payees are checked was set.',
  'account.opened': 'An account was opened.',
  'account.deposited': 'Money was added to an account.',
  'account.limited': 'What an account pays at most was set.',
  'account.closed': 'An account was closed, for good.',
  'key.created': 'An API key was made.',
  'key.rotated': 'A key got a successor, and ends after some hours.',
  'key.revoked': 'A key was ended, for good.',
  'hold.placed': 'A bulk, an account, the organization or the whole bank was held.',
  'hold.released': 'A hold was ended.',
  'payees.released': 'The payer confirmed the payees of a bulk that was held for them.',
  'webhook.created': 'A webhook endpoint was opened.',
  'webhook.changed': 'A webhook endpoint was changed, disabled or enabled.',
  'webhook.deleted': 'A webhook endpoint was removed.',
  'webhook.secret_rotated': 'A webhook endpoint got a new secret.',
  'transfer.resolved': 'An operator ended a transfer whose outcome the bank does not tell.',
  'incident.resolved': 'An operator ended an incident.'
} as const

export type AuditType = keyof typeof auditTypes

/** The types that subscribers and readers of the feed are told of. */
export const toldTypes = Object.keys(eventTypes) as EventType[]

/** Whether an event is told to subscribers and readers of the feed, and not by the audit log alone. */
export function isTold(type: string): type is EventType {
  return Object.hasOwn(eventTypes, type)
}
