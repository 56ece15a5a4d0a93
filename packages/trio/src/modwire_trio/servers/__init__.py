"""The trio servers: async functions that serve until they are cancelled."""
