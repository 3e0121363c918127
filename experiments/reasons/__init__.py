"""Do students keep their teachers reasons: distilled, private, taught reasons themselves, or made smaller?"""
