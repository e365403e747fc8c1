"""The page for people: which files it has, and the policy that it works under."""

from avatarlab.service.page.served import ASSETS, CSP, FOLDER, INDEX

__all__ = ["ASSETS", "CSP", "FOLDER", "INDEX"]
