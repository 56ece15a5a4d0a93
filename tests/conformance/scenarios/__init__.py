"""What every client and every server has to do, as data; nothing here knows any adapter."""
