-- name: empty_contact
DELETE FROM contact WHERE tenant_id = $1 AND build = $2;

-- name: empty_contact_identity
DELETE FROM contact_identity WHERE tenant_id = $1 AND build = $2;

-- name: empty_contact_interest
DELETE FROM contact_interest WHERE tenant_id = $1 AND build = $2;

-- name: empty_contact_alias
DELETE FROM contact_alias WHERE tenant_id = $1 AND build = $2;

-- name: empty_told_apart
DELETE FROM told_apart WHERE tenant_id = $1 AND build = $2;

-- name: empty_timeline
DELETE FROM timeline WHERE tenant_id = $1 AND build = $2;

-- name: empty_conversion
DELETE FROM conversion WHERE tenant_id = $1 AND build = $2;

-- name: empty_relationship
DELETE FROM relationship WHERE tenant_id = $1 AND build = $2;

-- name: empty_removed_contact
DELETE FROM removed_contact WHERE tenant_id = $1 AND build = $2;

-- name: empty_channel
DELETE FROM channel WHERE tenant_id = $1 AND build = $2;

-- name: empty_channel_day
DELETE FROM channel_day WHERE tenant_id = $1 AND build = $2;

-- name: empty_nudge
DELETE FROM nudge WHERE tenant_id = $1 AND build = $2;

-- name: empty_referral
DELETE FROM referral WHERE tenant_id = $1 AND build = $2;

-- name: empty_tie
DELETE FROM tie WHERE tenant_id = $1 AND build = $2;

-- name: empty_appointment
DELETE FROM appointment WHERE tenant_id = $1 AND build = $2;

-- name: empty_appointment_person
DELETE FROM appointment_person WHERE tenant_id = $1 AND build = $2;

-- name: empty_gathering
DELETE FROM gathering WHERE tenant_id = $1 AND build = $2;

-- name: empty_gathering_guest
DELETE FROM gathering_guest WHERE tenant_id = $1 AND build = $2;

-- name: empty_gathering_attendance
DELETE FROM gathering_attendance WHERE tenant_id = $1 AND build = $2;

-- name: empty_nudge_policy
DELETE FROM nudge_policy WHERE tenant_id = $1 AND build = $2;

-- name: empty_nudge_mute
DELETE FROM nudge_mute WHERE tenant_id = $1 AND build = $2;
