"""Modbus/TCP Security: TLS on both sides, roles in certificates, rights of roles, and an audit log.

`ssl` is imported with the first credentials, not with this package.
"""

from .audit import AuditLog
from .credentials import ClientCredentials, Credentials
from .rights import Rights
from .role import role_of

__all__ = ["AuditLog", "ClientCredentials", "Credentials", "Rights", "role_of"]
