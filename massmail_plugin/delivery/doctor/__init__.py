"""The questions of ``massmail_doctor``: can mail flow, and if not, what has to be done?"""
