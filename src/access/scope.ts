/** What a key may be allowed to do. Every route needs one of these, or says that it is public. */
export const scopes = {
  read: 'Read bulks, transfers, accounts and incidents.',
  submit: 'Submit bulks, send failed transfers again, release bulks that are held.',
  cancel: 'Cancel bulks.',
  webhooks: 'Manage webhook endpoints and their deliveries.',
  audit: 'Read and export the audit log.',
  admin: "Manage the organization's keys, accounts and limits.",
  operator: 'Manage every organization and every hold. A key with this scope belongs to no organization.'
} as const

export type Scope = keyof typeof scopes

/** What an organization's key may have: everything but the operator's. */
export const organizationScopes = (Object.keys(scopes) as Scope[]).filter((scope) => scope !== 'operator')

/** Whether a word is a scope. */
export function isScope(text: string): text is Scope {
  return Object.hasOwn(scopes, text)
}
