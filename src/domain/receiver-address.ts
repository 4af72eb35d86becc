import ipaddr from 'ipaddr.js'

/** Where calls may go that customers name the address of. Everything else is refused: it may be a machine of ours. */
export interface ReceiverPolicy {
  https_only: boolean
  /** Ranges that may be called besides public addresses, on any port. */
  allowed: AddressRange[]
}
export type AddressRange = [ipaddr.IPv4 | ipaddr.IPv6, number]

export type RefusedReceiver =
  'url-invalid' | 'scheme-not-allowed' | 'credentials-in-url' | 'port-not-allowed' | 'address-not-allowed'

/** What is wrong with a receiver, in words for whoever named it. The one table. */
export const refusedReceivers: Record<RefusedReceiver, string> = {
  'url-invalid': 'this is no URL; write https://your.host/path',
  'scheme-not-allowed': 'this scheme is not called; use https://',
  'credentials-in-url':
    'a user or password in a URL ends up in logs; leave it out, and verify the signature instead',
  'port-not-allowed': 'this port is not called; use 443, 8443, 80 or 8080',
  'address-not-allowed': 'it leads to an address that is not public, which this installation does not call'
}

export type ReadReceiver = { outcome: 'url'; url: URL } | { outcome: 'refused'; cause: RefusedReceiver }

const publicPorts = new Set([80, 443, 8080, 8443])
const loopback = ['127.0.0.1', '::1']

/**
 * Reads a receiver's URL and refuses what can be told without asking for its name's addresses. The URL standard has
 * brought every way to write an address (octal, hexadecimal, one number, full-width digits) into its one form.
 */
export function readReceiver(text: string, policy: ReceiverPolicy): ReadReceiver {
  const refuse = (cause: RefusedReceiver): ReadReceiver => ({ outcome: 'refused', cause })
  if (!URL.canParse(text)) return refuse('url-invalid')
  const url = new URL(text)
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || policy.https_only))
    return refuse('scheme-not-allowed')
  if (url.username !== '' || url.password !== '') return refuse('credentials-in-url')
  const cause = knownAddresses(url.hostname)
    .map((address) => refuseAddress(address, portOf(url), policy))
    .find((found) => found !== null)
  if (cause !== undefined) return refuse(cause)
  // Where nothing but public addresses may be called, every name's ports are known, too.
  if (policy.allowed.length === 0 && !publicPorts.has(portOf(url))) return refuse('port-not-allowed')
  return { outcome: 'url', url }
}

/** The addresses of a host that no name server has to be asked for: its own, or those of localhost (RFC 6761). */
export function knownAddresses(hostname: string): string[] {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  if (ipaddr.isValid(bare)) return [bare]
  return bare === 'localhost' || bare.endsWith('.localhost') ? loopback : []
}

/** The port that a URL leads to. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'https:' ? 443 : 80
}

/** Why an address may not be called at a port, or null if it may. To be asked of every address of a name. */
export function refuseAddress(address: string, port: number, policy: ReceiverPolicy): RefusedReceiver | null {
  if (!ipaddr.isValid(address)) return 'address-not-allowed'
  // An IPv4 address that is dressed up as IPv6 is what it is.
  const parsed = ipaddr.process(address)
  if (policy.allowed.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits)))
    return null
  if (!isPublic(parsed)) return 'address-not-allowed'
  return publicPorts.has(port) ? null : 'port-not-allowed'
}

/** Of IPv6 only 2000::/3 is given out; there are old forms outside of it that carry an IPv4 address. */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false
  return address.kind() === 'ipv4' || address.match(ipaddr.parse('2000::'), 3)
}

/** Reads ranges like `10.0.0.0/8, fd00::/8`; null if one of them is none. A single address needs its `/32` or `/128`. */
export function readRanges(text: string): AddressRange[] | null {
  const parts = text.split(',').map((part) => part.trim())
  return parts.every((part) => ipaddr.isValidCIDR(part)) ? parts.map((part) => ipaddr.parseCIDR(part)) : null
}
