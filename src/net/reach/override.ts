/** libp2p's components with some of what they do replaced. */

/** The object with some of its members replaced. */
export function override<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, key) => {
      if (Object.hasOwn(members, key)) return Reflect.get(members, key)
      const value: unknown = Reflect.get(inner, key, inner)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(inner) : value
    },
  })
}
