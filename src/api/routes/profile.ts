import { z } from 'zod'
import { AVATAR_BYTES_MAX, PROFILE_BIO_BYTES_MAX, PROFILE_NAME_BYTES_MAX } from '../../wire/content.ts'
import type { ProfileChange } from '../application/profile.ts'
import type { Route } from '../route.ts'
import { given, route } from '../route.ts'
import { byAccount } from '../schemas.ts'

/** In characters; that a text has no more bytes either is the daemon's to check. */
const avatar = z.strictObject({
  type: z.enum(['image/png', 'image/jpeg', 'image/webp']),
  data: z
    .string()
    .min(4)
    .max(Math.ceil(AVATAR_BYTES_MAX / 3) * 4)
    .regex(/^[A-Za-z0-9+/]+={0,2}$/),
})
const updateProfile = z.strictObject({
  name: z.string().max(PROFILE_NAME_BYTES_MAX).optional(),
  bio: z.string().max(PROFILE_BIO_BYTES_MAX).optional(),
  avatar: avatar.nullable().optional(),
})

/** What people say of themselves. */
export const profileRoutes: readonly Route[] = [
  route({ method: 'GET', path: '/profile', group: 'read', work: (call) => call.application.profile() }),
  route({
    method: 'PATCH',
    path: '/profile',
    group: 'write',
    body: updateProfile,
    work: (call) => call.application.updateProfile(given(call.body) as ProfileChange),
  }),
  route({
    method: 'GET',
    path: '/contacts/:id/profile',
    group: 'read',
    params: byAccount,
    work: (call) => call.application.contactProfile(call.params.id),
  }),
]
